select * exclude (place)
from contest
where place > 1
