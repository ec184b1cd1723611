// The rule of the golden components, in C against the bindings of `wit-bindgen c`. What is taken is not given back: the
// instance lives for one call.

#include <stdlib.h>
#include <string.h>

#include "constraint.h"

typedef constraint_string_t string;

static const char DEPARTMENT[] = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";

static string text(const char *from) {
    string made;
    constraint_string_dup(&made, from);
    return made;
}

// Three texts in a row.
static string joined(string a, string b, string c) {
    size_t length = a.len + b.len + c.len;
    uint8_t *bytes = malloc(length);
    if (bytes == NULL) abort();
    memcpy(bytes, a.ptr, a.len);
    memcpy(bytes + a.len, b.ptr, b.len);
    memcpy(bytes + a.len + b.len, c.ptr, c.len);
    return (string){ bytes, length };
}

static constraint_list_string_t list(size_t count, const char *const texts[]) {
    string *made = malloc(count * sizeof(string));
    if (made == NULL) abort();
    for (size_t at = 0; at < count; at++) made[at] = text(texts[at]);
    return (constraint_list_string_t){ made, count };
}

void exports_scruple_constraint_about_describe(exports_scruple_constraint_about_descriptor_t *described) {
    static const char *const reads[] = { "userName", "externalId", DEPARTMENT };
    uint8_t *actions = malloc(2);
    if (actions == NULL) abort();
    actions[0] = SCRUPLE_CONSTRAINT_TYPES_ACTION_CREATE;
    actions[1] = SCRUPLE_CONSTRAINT_TYPES_ACTION_UPDATE;
    memset(described, 0, sizeof *described);
    described->name = text("golden");
    described->version = text("1.0.0");
    described->summary =
        text("A pattern for user names, a department for everybody, external ids that stay and are unique");
    described->settings_schema = text("{}");
    described->resource_types = list(1, (const char *const[]){ "User" });
    described->actions.ptr = actions;
    described->actions.len = 2;
    described->reads = list(3, reads);
    described->capabilities = list(1, (const char *const[]){ "directory:User" });
}

bool exports_scruple_constraint_about_check_settings(
    string *settings, exports_scruple_constraint_about_list_settings_problem_t *problems) {
    (void)settings;
    (void)problems;
    return true;
}

// What the host refused, as the message of an error.
static void refused(scruple_constraint_types_read_error_t *error, string *message) {
    static const char *const names[] = { "invalid", "not-granted", "budget-exhausted", "unavailable", "other" };
    *message = joined(text("could not read: "), text(names[error->tag]), text(""));
}

// The text at a path; absent is NULL. `false`: it could not be read, and `message` says why.
static bool read(scruple_constraint_scim_own_document_t document, const char *path, string *found, string *message) {
    string asked = text(path);
    scruple_constraint_scim_option_value_t value;
    scruple_constraint_scim_read_error_t error;
    scruple_constraint_scim_borrow_document_t borrowed = scruple_constraint_scim_borrow_document(document);
    if (!scruple_constraint_scim_method_document_read(borrowed, &asked, &value, &error)) {
        refused(&error, message);
        return false;
    }
    bool there = value.is_some && value.val.tag == SCRUPLE_CONSTRAINT_TYPES_VALUE_TEXT;
    *found = there ? value.val.val.text : (string){ NULL, 0 };
    return true;
}

static bool is_letter(uint8_t byte) { return byte >= 'a' && byte <= 'z'; }

// [a-z][a-z0-9.-]{1,30}
static bool is_user_name(string name) {
    if (name.len < 2 || name.len > 31 || !is_letter(name.ptr[0])) return false;
    for (size_t at = 1; at < name.len; at++) {
        uint8_t byte = name.ptr[at];
        if (!is_letter(byte) && !(byte >= '0' && byte <= '9') && byte != '.' && byte != '-') return false;
    }
    return true;
}

static bool same(string a, string b) { return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0); }

typedef struct {
    scruple_constraint_types_reason_t list[4];
    size_t count;
} reasons;

static void add(reasons *to, const char *code, string message, const char *path, const char *scim_type) {
    scruple_constraint_types_reason_t *reason = &to->list[to->count++];
    reason->code = text(code);
    reason->message = message;
    reason->paths = list(1, &path);
    reason->scim_type.is_some = true;
    reason->scim_type.val = text(scim_type);
}

// A JSON string, which is what a text in a filter is.
static string quoted(string from) {
    uint8_t *bytes = malloc(2 * from.len + 2);
    if (bytes == NULL) abort();
    size_t length = 0;
    bytes[length++] = '"';
    for (size_t at = 0; at < from.len; at++) {
        if (from.ptr[at] == '"' || from.ptr[at] == '\\') bytes[length++] = '\\';
        bytes[length++] = from.ptr[at];
    }
    bytes[length++] = '"';
    return (string){ bytes, length };
}

static bool judge_external_id(
    scruple_constraint_scim_borrow_operation_t operation, string now, reasons *found, string *message) {
    scruple_constraint_scim_own_document_t before;
    if (scruple_constraint_scim_method_operation_before(operation, &before)) {
        string then;
        if (!read(before, "externalId", &then, message)) return false;
        if (then.ptr != NULL && !same(then, now)) {
            string key = text("external id"), value = joined(then, text(" -> "), now);
            scruple_constraint_report_note(&key, &value);
            add(found, "external-id", text("the external id does not change"), "externalId", "mutability");
        }
        return true;
    }
    if (now.ptr == NULL) return true;
    string type = text("User"), filter = joined(text("externalId eq "), quoted(now), text(""));
    uint64_t others;
    scruple_constraint_directory_read_error_t error;
    if (!scruple_constraint_directory_count(&type, &filter, &others, &error)) {
        refused(&error, message);
        return false;
    }
    if (others > 0) {
        string taken = joined(text("another user has the external id `"), now, text("`"));
        add(found, "external-id-taken", taken, "externalId", "uniqueness");
    }
    return true;
}

bool exports_scruple_constraint_check_evaluate(
    exports_scruple_constraint_check_own_operation_t operation, string *settings,
    exports_scruple_constraint_check_verdict_t *verdict, string *message) {
    (void)settings;
    scruple_constraint_scim_borrow_operation_t borrowed = scruple_constraint_scim_borrow_operation(operation);
    scruple_constraint_scim_own_document_t after;
    if (!scruple_constraint_scim_method_operation_after(borrowed, &after)) {
        verdict->tag = SCRUPLE_CONSTRAINT_TYPES_VERDICT_NOT_APPLICABLE;
        return true;
    }
    reasons found = { 0 };
    string user_name, department, now;
    if (!read(after, "userName", &user_name, message)) return false;
    if (!is_user_name(user_name)) {
        string why = joined(text("the user name `"), user_name, text("` does not match the pattern"));
        add(&found, "user-name", why, "userName", "invalidValue");
    }
    if (!read(after, DEPARTMENT, &department, message)) return false;
    if (department.len == 0) {
        add(&found, "department", text("a user needs a department"), DEPARTMENT, "invalidValue");
    }
    if (!read(after, "externalId", &now, message)) return false;
    if (!judge_external_id(borrowed, now, &found, message)) return false;
    if (found.count == 0) {
        verdict->tag = SCRUPLE_CONSTRAINT_TYPES_VERDICT_ALLOW;
        return true;
    }
    size_t bytes = found.count * sizeof found.list[0];
    verdict->tag = SCRUPLE_CONSTRAINT_TYPES_VERDICT_DENY;
    verdict->val.deny.ptr = malloc(bytes);
    if (verdict->val.deny.ptr == NULL) abort();
    memcpy(verdict->val.deny.ptr, found.list, bytes);
    verdict->val.deny.len = found.count;
    return true;
}
