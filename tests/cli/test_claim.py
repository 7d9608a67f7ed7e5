"""Tokens that let devices enrol."""

from ringback.cli.exits import ExitCode


def test_a_claim_is_shown_once_and_says_what_to_type_next(ringback, address):
    result = ringback("claim", "create", "--uses", "200", "--for", "2d", "--pending")
    facts = dict(line.split("  ", 1) for line in result.stdout.splitlines())
    assert result.exit_code == 0
    assert facts["lets in"].strip() == "200 devices"
    assert facts["joins"].strip() == "when accepted"
    token = facts["token"].strip()
    assert result.stderr == (
        "The token is not shown again.\n"
        f"next: ringback agent run --state ./box --server {address} --claim {token} --serial SERIAL --class CLASS\n"
    )


def test_claims_are_listed_without_their_tokens(ringback, ringback_json):
    made = ringback_json("claim", "create")
    result = ringback("claim", "list", "--limit", "1000")
    assert made["id"] in result.stdout
    assert made["token"] not in result.stdout


def test_a_list_that_goes_on_says_so(ringback, ringback_json):
    for _ in range(2):
        ringback_json("claim", "create")
    result = ringback("claim", "list", "--limit", "1")
    assert result.stderr.startswith("These are the first 1; more with --limit.\n")
    assert ringback_json("claim", "list", "--limit", "1")["next"]


def test_a_duration_without_a_unit_is_a_usage_error(ringback):
    result = ringback("claim", "create", "--for", "2")
    assert result.exit_code == ExitCode.USAGE
    assert "'2' is no duration, which is a unit after the number" in result.stderr


def test_what_the_server_refuses_is_exit_code_1(ringback):
    result = ringback("claim", "create", "--uses", "1000001")
    assert result.exit_code == ExitCode.REFUSED
    assert result.stderr.startswith("Error: RB-ENROL-010: 1000001 uses wanted, 1 to 1000000 are possible\nhint: ")
