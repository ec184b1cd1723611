#include "rule.h"

static size_t length_of(const char *characters) {
    size_t length = 0;
    while (characters[length] != '\0') length++;
    return length;
}

text text_of(const char *characters) { return (text){ (const uint8_t *)characters, length_of(characters) }; }

bool same(text one, text other) {
    if (one.length != other.length) return false;
    for (size_t at = 0; at < one.length; at++) {
        if (one.at[at] != other.at[at]) return false;
    }
    return true;
}

static uint8_t lower(uint8_t byte) { return byte >= 'A' && byte <= 'Z' ? byte + 32 : byte; }

// Whether a text ends so, case not counting.
static bool ends_with(text whole, text end) {
    if (end.length > whole.length) return false;
    size_t from = whole.length - end.length;
    for (size_t at = 0; at < end.length; at++) {
        if (lower(whole.at[from + at]) != lower(end.at[at])) return false;
    }
    return true;
}

bool is_at_domain(text address, text domain) {
    size_t behind = address.length;
    while (behind > 0 && address.at[behind - 1] != '@') behind--;
    if (behind == 0) return false;
    text found = { address.at + behind, address.length - behind };
    if (domain.length > 2 && domain.at[0] == '*' && domain.at[1] == '.') {
        text below = { domain.at + 1, domain.length - 1 };
        return found.length > below.length && ends_with(found, below);
    }
    return found.length == domain.length && ends_with(found, domain);
}

static void skip_spaces(text *rest) {
    while (rest->length > 0 && (*rest->at == ' ' || *rest->at == '\n' || *rest->at == '\t' || *rest->at == '\r')) {
        rest->at++;
        rest->length--;
    }
}

static bool take(text *rest, uint8_t byte) {
    skip_spaces(rest);
    if (rest->length == 0 || *rest->at != byte) return false;
    rest->at++;
    rest->length--;
    return true;
}

// A text of JSON in which nothing is escaped: by their schema, domains have no character that would be.
static bool take_text(text *rest, text *taken) {
    if (!take(rest, '"')) return false;
    taken->at = rest->at;
    while (rest->length > 0 && *rest->at != '"' && *rest->at != '\\') {
        rest->at++;
        rest->length--;
    }
    taken->length = (size_t)(rest->at - taken->at);
    return take(rest, '"');
}

bool domain_of(text settings, text *domain) {
    text rest = settings, name;
    return take(&rest, '{') && take_text(&rest, &name) && same(name, text_of("domain")) && take(&rest, ':') &&
           take_text(&rest, domain) && take(&rest, '}');
}
