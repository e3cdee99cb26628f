"""The tests that run on one database alone, and why: by their file, or by file and name. Those of tests/crash, too."""
import os

FILE = "about the database's file"

SQLITE_ONLY = {
    "test_bad_start.py::test_a_file_that_is_no_database_is_refused_and_kept": FILE,
    "test_bad_start.py::test_a_damaged_database_is_refused_until_it_is_restored": FILE,
    "test_bad_start.py::test_a_database_that_cannot_be_reached_is_named": FILE,
    "test_bad_start.py::test_another_key_is_refused_and_the_right_one_still_opens_the_database":
        FILE + "; test_postgresql_commands.py has it, too",
    "test_cli_check_config.py": "about the files that a start needs; test_postgresql_commands.py has the rest",
    "test_cli_create.py::test_commands_get_their_turn_while_another_program_writes_without_pause":
        "about SQLite's lock for writers",
    "test_cli_create.py::test_the_secret_part_of_a_key_is_not_stored": FILE,
    "test_cli_database.py": FILE + ", its directory and its mode; test_postgresql_commands.py has the rest",
    "test_cli_maintenance.py::test_a_backup_is_complete_and_private_and_never_replaces_a_file":
        "PostgreSQL is backed up with its own tools",
    "test_cli_maintenance.py::test_a_backup_waits_for_no_writer_and_contains_what_was_committed":
        "PostgreSQL is backed up with its own tools",
    "test_cli_maintenance.py::test_a_failed_backup_leaves_no_file": "PostgreSQL is backed up with its own tools",
    "test_cli_maintenance.py::test_commands_that_only_read_create_nothing": FILE,
    "test_cli_maintenance.py::test_a_newer_database_is_not_migrated":
        "older nodes run beside newer ones; test_nodes_upgrade.py has what they refuse",
    "test_cli_mistakes.py::test_a_file_that_is_not_a_database_is_refused_and_kept": FILE,
    "test_crashes.py::test_a_second_service_on_the_same_data_is_refused_in_one_line": "PostgreSQL has many services",
    "test_disk.py": "about the disk below SQLite's files; test_postgresql_troubles.py has what a database cannot do",
    "test_old_database.py": "a database of an earlier version, which had SQLite alone",
    "test_one_service.py": "PostgreSQL has many services",
    "test_payments.py::test_no_credential_is_in_the_data_directory": FILE,
    "test_refunds.py::test_a_refund_after_the_secret_key_was_changed_goes_under_the_present_one":
        "PostgreSQL keeps a replaced key for a day, or until the next one is replaced, for a payment that another node is making",
    "test_restored.py::test_a_move_of_the_database_is_taken_for_a_restore": FILE,
    "test_restored.py::test_after_a_crash_one_page_of_each_list_is_enough":
        "PostgreSQL is trusted for 12 s after a crash, because a backup would not hold a beat so fresh",
    "test_restored.py::test_a_stop_before_the_start_was_written_down_vouches_for_nothing": FILE,
    "test_restored.py::test_an_event_that_names_an_unknown_payment_has_the_account_asked":
        "PostgreSQL's mark of a clean stop cannot be put into a backup",
    "test_rotation.py::test_an_interruption_before_the_commit_leaves_the_old_key_in_use_and_the_next_one_to_be_taken_up":
        "stops the command at a call of SQLite's file",
    "test_rotation.py::test_without_a_database_nothing_is_made": FILE,
    "test_serve.py::test_while_another_program_locks_the_database_writes_are_503_and_reads_go_on":
        "about SQLite's lock for writers",
    "test_sparse_lists.py::test_a_page_that_is_found_at_once_takes_one_statement": "PostgreSQL reads it in windows",
}

POSTGRESQL_ONLY = {
    "test_nodes_clock.py": "several nodes",
    "test_nodes_in_flight.py": "several nodes",
    "test_nodes_restored.py": "several nodes",
    "test_nodes_same_key.py": "several nodes",
    "test_nodes_shared.py": "several nodes",
    "test_nodes_storm.py": "several nodes",
    "test_nodes_takeover.py": "several nodes",
    "test_nodes_upgrade.py": "several nodes",
    "test_postgresql_commands.py": "its errors and its empty schemas",
    "test_postgresql_conflicts.py": "its conflicts between connections",
    "test_postgresql_failover.py": "its servers",
    "test_postgresql_lost_commits.py": "its connections",
    "test_postgresql_settings.py": "its connections",
    "test_postgresql_tls.py": "its connections",
    "test_postgresql_troubles.py": "its server",
}


def leave_out_others(config, items):
    """Of the tests that pytest has collected, those about the database that this run is not on."""
    left_out = SQLITE_ONLY if os.environ.get("TEST_POSTGRESQL") else POSTGRESQL_ONLY
    gone = [item for item in items if {item.path.name, f"{item.path.name}::{item.originalname}"} & left_out.keys()]
    items[:] = [item for item in items if item not in gone]
    config.hook.pytest_deselected(items=gone)
