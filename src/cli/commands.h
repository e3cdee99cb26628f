// The program's commands, one file each. Each gets the arguments after its name and returns the exit status.
#pragma once

int cmd_backup(int argc, char **argv);
int cmd_check_config(int argc, char **argv);
int cmd_createapikey(int argc, char **argv);
int cmd_createmerchant(int argc, char **argv);
int cmd_createsuperadmin(int argc, char **argv);
int cmd_healthcheck(int argc, char **argv);
int cmd_listapikeys(int argc, char **argv);
int cmd_listmerchants(int argc, char **argv);
int cmd_migrate(int argc, char **argv);
int cmd_revokeapikey(int argc, char **argv);
int cmd_rotate_master_key(int argc, char **argv);
int cmd_sandbox(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_updatemerchant(int argc, char **argv);
int cmd_verify_audit(int argc, char **argv);
int cmd_version(int argc, char **argv);
