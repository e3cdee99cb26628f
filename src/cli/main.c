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
    struct command_about about;
    int (*run)(const struct command_about *about, int argc, char **argv);
} commands[] = {
    {{"serve", "run the payments service"}, cmd_serve},
    {{"sandbox", "run a stand-in for Stripe, for trials and tests"}, cmd_sandbox},
    {{"createsuperadmin", "create an admin and its API key, and show the key once"}, cmd_createsuperadmin},
    {{"createmerchant", "create a merchant"}, cmd_createmerchant},
    {{"updatemerchant", "deactivate a merchant, or activate it again"}, cmd_updatemerchant},
    {{"listmerchants", "list merchants and admins"}, cmd_listmerchants},
    {{"createapikey", "create a merchant's API key, and show it once"}, cmd_createapikey},
    {{"listapikeys", "list API keys, without their secret part"}, cmd_listapikeys},
    {{"revokeapikey", "revoke an API key permanently"}, cmd_revokeapikey},
    {{"migrate", "create the database, or upgrade it to this version"}, cmd_migrate},
    {{"check-config", "check the settings, keys and database; change nothing"}, cmd_check_config},
    {{"verify-audit", "verify that the audit log was not tampered with"}, cmd_verify_audit},
    {{"backup", "copy the database to a new file, also while the service runs"}, cmd_backup},
    {{"copy", "copy everything to another database, and verify it, while no service runs"}, cmd_copy},
    {{"rotate-master-key", "re-encrypt all stored secrets with a new master key"}, cmd_rotate_master_key},
    {{"healthcheck", "ask the running service whether it is ready"}, cmd_healthcheck},
    {{"version", "print the version"}, cmd_version},
};

static void print_help(FILE *out)
{
    (void)fprintf(out, "usage: paymentsd COMMAND [FLAG...]\n\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        (void)fprintf(out, "  %-18s%s\n", commands[i].about.name, commands[i].about.summary);
    }
    (void)fprintf(out, "\nRun \"paymentsd COMMAND --help\" for the flags of a command.\n");
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (text_equal(name, "help") || text_equal(name, "--help") || text_equal(name, "-h")) {
        print_help(stdout);
        return 0;
    }
    if (text_equal(name, "--version") || text_equal(name, "-V")) {
        name = "version";
    }
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        if (text_equal(name, commands[i].about.name)) {
            return commands[i].run(&commands[i].about, argc - 2, argv + 2);
        }
    }
    (void)command_misuse("unknown command \"%.60s\"", name);
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
