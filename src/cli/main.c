// The program's table of commands, and their dispatch. Everything else is in the command's own file.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/require.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/commands.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"serve", cmd_serve, "run the payments service"},
    {"sandbox", cmd_sandbox, "run a stand-in for Stripe, for trials and tests"},
    {"createsuperadmin", cmd_createsuperadmin, "create an admin and its API key, and show the key once"},
    {"createmerchant", cmd_createmerchant, "create a merchant"},
    {"updatemerchant", cmd_updatemerchant, "deactivate a merchant, or activate it again"},
    {"listmerchants", cmd_listmerchants, "list merchants and admins"},
    {"createapikey", cmd_createapikey, "create a merchant's API key, and show it once"},
    {"listapikeys", cmd_listapikeys, "list API keys, without their secret part"},
    {"revokeapikey", cmd_revokeapikey, "revoke an API key permanently"},
    {"migrate", cmd_migrate, "create the database, or upgrade it to this version"},
    {"check-config", cmd_check_config, "check the settings, keys and database; change nothing"},
    {"verify-audit", cmd_verify_audit, "verify that the audit log was not tampered with"},
    {"backup", cmd_backup, "copy the database to a new file, also while the service runs"},
    {"rotate-master-key", cmd_rotate_master_key, "re-encrypt all stored secrets with a new master key"},
    {"healthcheck", cmd_healthcheck, "ask the running service whether it is ready"},
    {"version", cmd_version, "print the version"},
};

static void print_help(FILE *out)
{
    (void)fprintf(out, "usage: paymentsd COMMAND [FLAG...]\n\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        (void)fprintf(out, "  %-18s%s\n", commands[i].name, commands[i].help);
    }
    (void)fprintf(out, "\nRun \"paymentsd COMMAND --help\" for the flags of a command.\n");
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (text_equal(argv[1], commands[i].name)) {
            return commands[i].run(argc - 2, argv + 2);
        }
    }
    if (text_equal(argv[1], "help") || text_equal(argv[1], "--help") || text_equal(argv[1], "-h")) {
        print_help(stdout);
        return 0;
    }
    if (text_equal(argv[1], "--version") || text_equal(argv[1], "-V")) {
        return cmd_version(argc - 2, argv + 2);
    }
    (void)command_misuse("unknown command \"%.60s\"", argv[1]);
    print_help(stderr);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    // Only the service's user may read what a command creates (database, keys, backup).
    (void)umask(0077);
    // Every command loads the keys: no core dump may hold them, and only root may look into the process.
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    int status = dispatch(argc, argv);
    if (fflush(stdout) != 0 && status == 0) {
        struct err err;
        (void)err_set(&err, ERR_IO, "cannot write the output: %s", strerror(errno));
        return command_fail(&err);
    }
    return status;
}
