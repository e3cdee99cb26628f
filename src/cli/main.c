// The one program: its table of commands, and the dispatch. Everything else is in the command's own file.
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
    {"sandbox", cmd_sandbox, "a stand-in for Stripe, for trying and testing"},
    {"createsuperadmin", cmd_createsuperadmin, "make an admin and its key, and show the key once"},
    {"createmerchant", cmd_createmerchant, "make a merchant"},
    {"updatemerchant", cmd_updatemerchant, "make a merchant's keys stop working, or work again"},
    {"listmerchants", cmd_listmerchants, "list the merchants and admins"},
    {"createapikey", cmd_createapikey, "make a merchant's API key and show it once"},
    {"listapikeys", cmd_listapikeys, "list the API keys (never their text)"},
    {"revokeapikey", cmd_revokeapikey, "make an API key stop working, for good"},
    {"migrate", cmd_migrate, "bring the database to this version of the program"},
    {"check-config", cmd_check_config, "say whether the settings and the key files are sound"},
    {"verify-audit", cmd_verify_audit, "prove that the audit log was not tampered with"},
    {"backup", cmd_backup, "copy the database into a new file, beside a running service"},
    {"rotate-master-key", cmd_rotate_master_key, "seal everything anew under a new master key"},
    {"healthcheck", cmd_healthcheck, "ask the running service whether it is ready"},
    {"version", cmd_version, "print the version"},
};

static void print_help(FILE *out)
{
    (void)fprintf(out, "usage: paymentsd COMMAND [FLAG...]\n\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        (void)fprintf(out, "  %-18s%s\n", commands[i].name, commands[i].help);
    }
    (void)fprintf(out, "\npaymentsd COMMAND --help says more.\n");
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
    (void)command_misuse("there is no command \"%.60s\"", argv[1]);
    print_help(stderr);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    // Whatever a command makes (database, log, keys, backup) is the service's alone.
    (void)umask(0077);
    // Every command has the keys: no core dump may hold them, and nobody but root may look into the process.
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
