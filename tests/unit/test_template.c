/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "collision.h"
#include "tacit/proto.h"
#include "template.h"
#include "templates.h"

static const char binary[] = "\0\n$\xff${secret:a}";

static void item_add(struct bundle *bundle, const char *name, const void *value, size_t len)
{
	struct secret *secret;

	assert_int_equal(secret_new_from(value, len, &secret), 0);
	assert_int_equal(bundle_add(bundle, name, secret), 0);
}

static void bundle_fill(struct bundle *bundle)
{
	item_add(bundle, "a", "A", 1);
	item_add(bundle, "web/db_password", "s3cret", 6);
	item_add(bundle, "empty", "", 0);
	item_add(bundle, "binary", binary, sizeof(binary) - 1);
}

static const struct {
	const char *text;
	const char *result;
} render_cases[] = {
    {"", ""},
    {"no secret at all\n", "no secret at all\n"},
    {"${secret:a}", "A"},
    {"pw=${secret:web/db_password}\n", "pw=s3cret\n"},
    {"${secret:a}${secret:a}-${secret:web/db_password}", "AA-s3cret"},
    {"[${secret:empty}]", "[]"},
    {"$ $$ ${ ${a} $a ${secret a} {secret:a}", "$ $$ ${ ${a} $a ${secret a} {secret:a}"},
    {"$${secret:a}", "${secret:a}"},
    {"$$${secret:a}", "$A"},
    {"$$$${secret:a}", "$${secret:a}"},
    {"$$$$${secret:a}", "$$A"},
    {"$${secret:", "${secret:"},
    {"$${secret:no such name}", "${secret:no such name}"},
    {"cost: 5$${secret:a}$", "cost: 5${secret:a}$"},
    {"${SECRET:a} ${ secret:a} ${secret :a}", "${SECRET:a} ${ secret:a} ${secret :a}"},
    {"${secre", "${secre"},
    {"$", "$"},
};

static void rendering_replaces_references_and_nothing_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(render_cases) / sizeof(render_cases[0]); i++) {
		cleanup_bundle struct bundle bundle = {0};
		cleanup_secret struct secret *content = NULL;
		const char *text = render_cases[i].text;

		print_message("# %s\n", text);
		bundle_fill(&bundle);
		assert_int_equal(template_render(text, strlen(text), &bundle, &content, NULL), 0);
		assert_true(
		    secret_equals(content, render_cases[i].result, strlen(render_cases[i].result)));
	}
}

static void values_and_texts_are_bytes(void **state)
{
	static const char text[] = "\0a\xfe${secret:binary}\0";
	cleanup_bundle struct bundle bundle = {0};
	cleanup_secret struct secret *content = NULL;
	char expected[64];
	size_t len = 0;

	(void)state;
	bundle_fill(&bundle);
	assert_int_equal(template_render(text, sizeof(text) - 1, &bundle, &content, NULL), 0);
	memcpy(expected, "\0a\xfe", 3);
	len += 3;
	memcpy(expected + len, binary, sizeof(binary) - 1); /* not looked into once more */
	len += sizeof(binary) - 1;
	expected[len++] = '\0';
	assert_true(secret_equals(content, expected, len));
}

static const struct {
	const char *text;
	int err;
	unsigned line;
	const char *name;
} refused_cases[] = {
    {"${secret:b}", -TACIT_E_NOT_FOUND, 1, "b"},
    {"one\ntwo ${secret:a}\n\nx ${secret:web/nosuch} y\n", -TACIT_E_NOT_FOUND, 4, "web/nosuch"},
    {"$$${secret:b}", -TACIT_E_NOT_FOUND, 1, "b"},
    {"\n${secret:", -TACIT_E_MALFORMED, 2, ""},
    {"${secret:a", -TACIT_E_MALFORMED, 1, ""},
    {"${secret:}", -TACIT_E_MALFORMED, 1, ""},
    {"${secret:a }", -TACIT_E_MALFORMED, 1, ""},
    {"${secret:../a}", -TACIT_E_MALFORMED, 1, ""},
    {"${secret:${secret:a}}", -TACIT_E_MALFORMED, 1, ""},
    {"${secret:a\n}", -TACIT_E_MALFORMED, 1, ""},
};

static void what_cannot_be_replaced_is_told_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused_cases) / sizeof(refused_cases[0]); i++) {
		cleanup_bundle struct bundle bundle = {0};
		struct template_spot spot = {0};
		struct secret *content = NULL;
		const char *text = refused_cases[i].text;

		print_message("# %s\n", text);
		bundle_fill(&bundle);
		assert_int_equal(template_render(text, strlen(text), &bundle, &content, &spot),
		    refused_cases[i].err);
		assert_null(content);
		assert_int_equal(spot.line, refused_cases[i].line);
		assert_string_equal(spot.name, refused_cases[i].name);
	}
}

static void a_name_with_a_nul_is_none(void **state)
{
	static const char text[] = "${secret:a\0b}";
	cleanup_bundle struct bundle bundle = {0};
	struct secret *content = NULL;

	(void)state;
	bundle_fill(&bundle);
	assert_int_equal(
	    template_render(text, sizeof(text) - 1, &bundle, &content, NULL), -TACIT_E_MALFORMED);
}

static void a_result_has_a_limit(void **state)
{
	static const char text[] = "${secret:big}${secret:big}";
	cleanup_bundle struct bundle bundle = {0};
	cleanup_secret struct secret *content = NULL;
	char *half = calloc(1, PROTO_VALUE_MAX_BYTES / 2);

	(void)state;
	assert_non_null(half);
	item_add(&bundle, "big", half, PROTO_VALUE_MAX_BYTES / 2);
	free(half);
	assert_int_equal(template_render(text, sizeof(text) - 1, &bundle, &content, NULL), 0);
	assert_int_equal(secret_len(content), PROTO_VALUE_MAX_BYTES);
	assert_int_equal(
	    template_render("${secret:big}${secret:big}.", sizeof(text), &bundle, &content, NULL),
	    -TACIT_E_TOO_LARGE);
}

static const struct {
	const char *spec;
	int err;
	const char *source;
	const char *file;
} spec_cases[] = {
    {"/etc/app.tmpl=app.conf", 0, "/etc/app.tmpl", "app.conf"},
    {"a=b=c", 0, "a=b", "c"},
    {"app.conf", -TACIT_E_USAGE, NULL, NULL},
    {"=app.conf", -TACIT_E_USAGE, NULL, NULL},
    {"a=", -TACIT_E_INVALID_NAME, NULL, NULL},
    {"a=/etc/passwd", -TACIT_E_INVALID_NAME, NULL, NULL},
    {"a=..", -TACIT_E_INVALID_NAME, NULL, NULL},
    {"a=.hidden", -TACIT_E_INVALID_NAME, NULL, NULL},
};

static void specifications_are_split_at_the_last_equals_sign(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(spec_cases) / sizeof(spec_cases[0]); i++) {
		struct templates templates = {0};

		print_message("# %s\n", spec_cases[i].spec);
		assert_int_equal(
		    templates_add(&templates, spec_cases[i].spec, NULL), spec_cases[i].err);
		assert_int_equal(templates.count, spec_cases[i].err == 0);
		if (spec_cases[i].err == 0) {
			assert_string_equal(templates.items[0].source, spec_cases[i].source);
			assert_string_equal(templates.items[0].file, spec_cases[i].file);
		}
		templates_free(&templates);
	}
}

/* A template in a file of its own, loaded. */
static void templates_make(struct templates *templates, const char *text, const char *file)
{
	char path[] = "/tmp/tacit-template-XXXXXX";
	char spec[64];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
	(void)snprintf(spec, sizeof(spec), "%s=%s", path, file);
	assert_int_equal(templates_add(templates, spec, NULL), 0);
	assert_int_equal(templates_load(templates, NULL), 0);
	(void)unlink(path);
}

static void a_rendered_file_joins_the_bundle(void **state)
{
	cleanup_bundle struct bundle bundle = {0};
	struct templates templates = {0};
	const struct bundle_item *item;

	(void)state;
	bundle_fill(&bundle);
	templates_make(&templates, "a=${secret:a}", "app.conf");
	assert_int_equal(templates_apply(&templates, false, &bundle, NULL), 0);
	item = &bundle.items[bundle.count - 1];
	assert_int_equal(bundle.count, 5);
	assert_string_equal(item->file, "app.conf");
	assert_string_equal(item->env, "APP_CONF_FILE");
	assert_int_equal(item->mode, 0400);
	assert_true(item->rendered && templates_made(item->name));
	assert_true(secret_equals(item->value, "a=A", 3));
	assert_int_equal(collision_check(&bundle, ENV_FILE, NULL), 0);
	assert_false(templates_made("template/a"));
	templates_free(&templates);
}

static void a_file_that_is_taken_is_told_with_both_names(void **state)
{
	cleanup_bundle struct bundle bundle = {0};
	struct templates templates = {0};
	struct fault fault = {0};

	(void)state;
	bundle_fill(&bundle);
	templates_make(&templates, "x", "db_password");
	assert_int_equal(templates_apply(&templates, false, &bundle, NULL), 0);
	assert_int_equal(collision_check(&bundle, ENV_FILE, &fault), -TACIT_E_FILE_COLLISION);
	assert_string_equal(fault.what, "template db_password and web/db_password");
	assert_string_equal(fault.why, "two files have the same file name, db_password");
	templates_free(&templates);
}

static void what_lacks_a_secret_fails_or_is_left_out(void **state)
{
	cleanup_bundle struct bundle bundle = {0};
	struct templates templates = {0};
	struct fault fault = {0};

	(void)state;
	bundle_fill(&bundle);
	templates_make(&templates, "\n${secret:gone}", "app.conf");
	assert_int_equal(templates_apply(&templates, false, &bundle, &fault), -TACIT_E_NOT_FOUND);
	assert_non_null(strstr(fault.what, " line 2: gone"));
	assert_int_equal(templates_apply(&templates, true, &bundle, NULL), 0);
	assert_int_equal(bundle.count, 4);
	templates_free(&templates);
}

static void only_regular_files_of_a_bounded_size_are_read(void **state)
{
	static const char *const specs[] = {"/=x", "/dev/zero=x", "/nonexistent/x=x"};
	char path[] = "/tmp/tacit-template-XXXXXX";
	char spec[64];
	struct templates templates = {0};
	int fd = mkstemp(path);

	(void)state;
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		assert_int_equal(templates_add(&templates, specs[i], NULL), 0);
		assert_true(templates_load(&templates, NULL) < 0);
		templates_free(&templates);
	}

	(void)snprintf(spec, sizeof(spec), "%s=x", path);
	assert_int_equal(templates_add(&templates, spec, NULL), 0);
	assert_int_equal(ftruncate(fd, PROTO_VALUE_MAX_BYTES + 1), 0);
	assert_int_equal(templates_load(&templates, NULL), -TACIT_E_TOO_LARGE);
	templates_free(&templates);
	(void)close(fd);
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rendering_replaces_references_and_nothing_more),
	    cmocka_unit_test(values_and_texts_are_bytes),
	    cmocka_unit_test(what_cannot_be_replaced_is_told_with_its_line),
	    cmocka_unit_test(a_name_with_a_nul_is_none),
	    cmocka_unit_test(a_result_has_a_limit),
	    cmocka_unit_test(specifications_are_split_at_the_last_equals_sign),
	    cmocka_unit_test(a_rendered_file_joins_the_bundle),
	    cmocka_unit_test(a_file_that_is_taken_is_told_with_both_names),
	    cmocka_unit_test(what_lacks_a_secret_fails_or_is_left_out),
	    cmocka_unit_test(only_regular_files_of_a_bounded_size_are_read),
	};

	return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
