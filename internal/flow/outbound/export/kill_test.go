package export_test

const dyingVariable = "HEADRACE_TEST_DIES"

func die() {}
