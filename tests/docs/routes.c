/* SPDX-License-Identifier: MIT */
/* Prints the routes that the server has, `METHOD PATH`, for the tests of the documents. */
#include <stdio.h>
#include <stdlib.h>

#include "route.h"

static void print_route(void *context, const char *method, const char *path)
{
	(void)context;
	(void)printf("%s %s\n", method, path);
}

int main(void)
{
	route_each(print_route, NULL);
	return EXIT_SUCCESS;
}
