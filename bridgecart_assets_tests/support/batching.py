"""When batches start in tests: at once. Who tests the wait sets it."""

AT_ONCE = {"BRIDGECART_MAX_BATCH_DELAY": "0"}
