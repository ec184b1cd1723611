// Unit tests of the rule, without WebAssembly: `make test`.

#include <stdio.h>

#include "rule.h"

static int passed = 0, failed = 0;

static void check(const char *what, bool holds) {
    holds ? passed++ : failed++;
    if (!holds) printf("FAILED: %s\n", what);
}

static bool at(const char *address, const char *domain) { return is_at_domain(text_of(address), text_of(domain)); }

static bool domain_is(const char *settings, const char *expected) {
    text domain;
    return domain_of(text_of(settings), &domain) && same(domain, text_of(expected));
}

static bool is_refused(const char *settings) {
    text domain;
    return !domain_of(text_of(settings), &domain);
}

int main(void) {
    check("an address at the domain", at("ada@example.com", "example.com"));
    check("case does not count", at("ada@EXAMPLE.com", "Example.com"));
    check("an address elsewhere", !at("ada@elsewhere.example", "example.com"));
    check("only what is behind the last `@` counts", !at("ada@example.com@evil.example", "example.com"));
    check("a domain that ends so", !at("ada@evilexample.com", "example.com"));
    check("no address", !at("example.com", "example.com"));
    check("a domain below", at("ada@team.example.com", "*.example.com"));
    check("a star stands for something", !at("ada@example.com", "*.example.com"));
    check("nothing at all", !at("", "example.com"));
    check("settings", domain_is("{\"domain\":\"example.com\"}", "example.com"));
    check("settings with spaces", domain_is(" {\n \"domain\" : \"example.com\" }", "example.com"));
    check("settings of another kind", is_refused("{\"domains\":\"example.com\"}"));
    check("settings that are escaped", is_refused("{\"domain\":\"\\u0065\"}"));
    check("settings that are torn", is_refused("{\"domain\":\"exam"));
    check("no settings", is_refused(""));
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
