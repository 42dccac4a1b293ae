select * from refused
