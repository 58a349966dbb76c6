/* SPDX-License-Identifier: MIT */
#include "agent_options.h"
#include "commands.h"
#include "doctor.h"
#include "launch.h"

static const struct option_row no_option_rows[] = {{NULL, NULL, NULL}};

static const struct command commands[] = {
    {"run", "-- COMMAND [ARG]...", "write the secrets to files in memory and start a command",
        run_option_rows, command_run},
    {"fetch", "", "write the secrets to files in memory and exit", fetch_option_rows,
        command_fetch},
    {"doctor", "", "show what of the hardening checklist holds in here", doctor_option_rows,
        command_doctor},
    {"copy", "PATH", "put this very program elsewhere", no_option_rows, command_copy},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct program program = {
    AGENT_NAME, "Delivers secrets to a program as files in memory", commands};

int main(int argc, char *argv[])
{
	return program_run(&program, EXIT_AGENT_FAILED, argc, argv);
}
