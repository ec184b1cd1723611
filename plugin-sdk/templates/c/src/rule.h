// The rule, without the contract: what can be tested on any machine.

#ifndef RULE_H
#define RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Somebody else's bytes, in UTF-8. Absent has no `at`.
typedef struct {
    const uint8_t *at;
    size_t length;
} text;

// A text of the program's own.
text text_of(const char *characters);

// Whether two texts are the same, byte by byte.
bool same(text one, text other);

// Whether what stands behind the last `@` is the domain: `example.com`, or `*.example.com` for every domain below it.
bool is_at_domain(text address, text domain);

// The domain that settings name, which are `{"domain": "…"}` by their schema. `false` if they are something else.
bool domain_of(text settings, text *domain);

#endif
