// The program's commands, one file each. Each gets the arguments after its name and returns the exit status.
#pragma once

#include "cli/command.h"

int cmd_backup(const struct command_about *about, int argc, char **argv);
int cmd_copy(const struct command_about *about, int argc, char **argv);
int cmd_check_config(const struct command_about *about, int argc, char **argv);
int cmd_createapikey(const struct command_about *about, int argc, char **argv);
int cmd_createmerchant(const struct command_about *about, int argc, char **argv);
int cmd_createsuperadmin(const struct command_about *about, int argc, char **argv);
int cmd_healthcheck(const struct command_about *about, int argc, char **argv);
int cmd_listapikeys(const struct command_about *about, int argc, char **argv);
int cmd_listmerchants(const struct command_about *about, int argc, char **argv);
int cmd_migrate(const struct command_about *about, int argc, char **argv);
int cmd_revokeapikey(const struct command_about *about, int argc, char **argv);
int cmd_rotate_master_key(const struct command_about *about, int argc, char **argv);
int cmd_sandbox(const struct command_about *about, int argc, char **argv);
int cmd_serve(const struct command_about *about, int argc, char **argv);
int cmd_updatemerchant(const struct command_about *about, int argc, char **argv);
int cmd_verify_audit(const struct command_about *about, int argc, char **argv);
int cmd_version(const struct command_about *about, int argc, char **argv);
