import json
import unittest
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Literal

from scruple_sdk import (
    Action, Constraint, Deny, NoSettings, NotApplicable, Problem, Reason, deny_any, directory, filters, log, report, setting,
    tables,
)
from scruple_sdk.constraint import settings_schema
from scruple_sdk.testing import Scenario, settings_problems

EXTENSION = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
DEPARTMENT = f"{EXTENSION}:department"

ADA = {
    "id": "1",
    "userName": "Ada",
    "active": True,
    "name": {"familyName": "Lovelace"},
    "emails": [{"value": "ada@example.com", "type": "work"}, {"value": "ada@home.example", "type": "home"}],
    EXTENSION: {"department": "D-7"},
}


def judged(look, **more):
    class Rule(Constraint[NoSettings]):
        name, version, summary = "x", "1.0.0", "x"
        actions = [Action.CREATE, Action.UPDATE, Action.DELETE]

        def evaluate(self, operation, settings):
            return look(operation)

    for name, value in more.items():
        setattr(Rule, name, value)
    return Rule


class Reading(unittest.TestCase):
    def read(self, look, **more):
        found = []

        def rule(operation):
            found.append(look(operation))
            return NotApplicable()

        outcome = Scenario.update("User", ADA, {**ADA, "active": False}).check(judged(rule, **more))
        outcome.verdict
        return found[0]

    def test_paths_select_values_as_scim_says(self):
        for path, expected in {
            "username": ["Ada"],
            "name.familyName": ["Lovelace"],
            "emails.value": ["ada@example.com", "ada@home.example"],
            'emails[type eq "WORK"].value': ["ada@example.com"],
            'emails[type eq "work" and not (value sw "eve")]': [ADA["emails"][0]],
            DEPARTMENT: ["D-7"],
            "urn:ietf:params:scim:schemas:core:2.0:User:userName": ["Ada"],
            "title": [],
        }.items():
            self.assertEqual(self.read(lambda operation: operation.after.values(path)), expected, path)
        self.assertTrue(self.read(lambda o: o.after.matches(f'userName eq "ada" and (active eq true or {DEPARTMENT} pr)')))
        self.assertEqual(self.read(lambda o: o.after.json('emails[type eq "home"]')), [ADA["emails"][1]])
        self.assertEqual(self.read(lambda o: o.before.whole()["userName"]), "Ada")
        for path in ["emails[", 'emails[type gt "a"]', "a.b.c", "emails[type eq work]", ""]:
            with self.assertRaisesRegex(Exception, "^invalid: "):
                self.read(lambda operation: operation.after.values(path))

    def test_a_value_of_another_type_is_an_error_and_no_value(self):
        self.assertIs(self.read(lambda operation: operation.after.flag("active")), False)
        for look in [lambda o: o.after.text("active"), lambda o: o.after.integer("active")]:
            with self.assertRaisesRegex(Exception, "^wrong type: `active` is False"):
                self.read(look)

    def test_what_differs_is_told_at_the_finest_path(self):
        emails = [{"value": "ada@example.com", "type": "home"}, {"value": "new@example.com"}]

        def rule(operation):
            self.assertEqual(
                [difference.path for difference in operation.differences()],
                [
                    'emails[value eq "ada@example.com"].type', 'emails[value eq "ada@home.example"]',
                    'emails[value eq "new@example.com"]', "title",
                ],
            )
            self.assertEqual(operation.added("emails"), ["new@example.com"])
            self.assertEqual(operation.removed("emails"), ["ada@home.example"])
            self.assertEqual(operation.new_texts("emails.value"), ["new@example.com"])
            self.assertFalse(operation.changes("userName"))
            return NotApplicable()

        after = {**ADA, "emails": emails, "title": "Countess"}
        self.assertTrue(Scenario.update("User", ADA, after).check(judged(rule)).is_allowed)
        self.assertTrue(self.read(lambda operation: operation.turns_off("active")))
        self.assertFalse(self.read(lambda operation: operation.turns_on("active")))

    def test_what_was_not_asked_for_is_refused(self):
        narrow = {"reads": ["userName", "emails.value"]}
        self.assertEqual(self.read(lambda operation: operation.after.text("userName"), **narrow), "Ada")
        for look, more, named in [
            (lambda o: o.after.text('emails[type eq "work"].value'), narrow, "not granted: `emails.type`"),
            (lambda _: directory.count("User", "userName pr"), {}, "not granted: `directory:User`"),
            (lambda _: tables.contains("departments", "D-7"), {}, "not granted: `tables:departments`"),
            (lambda _: tables.contains("departments", "D-7"), {"tables": ["*"]}, "unavailable: there is no table"),
        ]:
            with self.assertRaisesRegex(Exception, named):
                self.read(look, **more)


class Around(unittest.TestCase):
    def test_look_ups_and_tables_answer_as_of_before(self):
        def rule(operation):
            self.assertEqual(directory.get("User", "1").text("userName"), "Ada")
            self.assertIsNone(directory.get("User", "none"))
            self.assertEqual([user.id for user in directory.find("User", filters.equals("userName", "BOB"), 5)], ["2"])
            self.assertEqual(directory.count("User", 'groups.value eq "g"'), 1)
            self.assertTrue(directory.exists("Group", 'displayName eq "all"'))
            self.assertTrue(directory.is_member("g", "1"))
            self.assertFalse(directory.is_member("h", "1"))
            self.assertTrue(directory.is_member("h", "1", transitive=True))
            self.assertEqual(tables.get("departments", "D-7"), {"name": "Engines"})
            self.assertIsNone(tables.get("departments", "D-9"))
            self.assertEqual(operation.time, datetime(2027, 1, 1, tzinfo=timezone.utc))
            report.note("who", operation.actor.subject)
            report.warn(Reason("late", "it is late"))
            log.info("looked")
            return Deny(Reason("no", "because", ("userName",), "uniqueness"))

        outcome = (
            Scenario.delete("User", ADA)
            .actor("okta")
            .at(datetime(2027, 1, 1, tzinfo=timezone.utc))
            .user({"id": "2", "userName": "bob"})
            .group({"id": "g", "displayName": "all", "members": [{"value": "1"}]})
            .group({"id": "h", "displayName": "more", "members": [{"value": "g"}]})
            .table("departments", {"D-7": {"name": "Engines"}})
            .check(judged(rule, looks_up=["User", "Group"], tables=["departments"]))
        )
        self.assertEqual(outcome.codes, ["no"])
        self.assertEqual((outcome.notes, outcome.log), ([("who", "okta")], ["info: looked"]))
        self.assertEqual([warning.code for warning in outcome.warnings], ["late"])
        self.assertIn("table departments D-7", outcome.reads)

    def test_what_is_raised_is_a_fault_and_no_denial(self):
        outcome = Scenario.create("User", ADA).check(judged(lambda operation: operation.nothing))
        self.assertIn("nothing", outcome.fault)
        with self.assertRaises(AttributeError):
            outcome.codes
        with self.assertRaisesRegex(TypeError, "no verdict"):
            Scenario.create("User", ADA).check(judged(lambda operation: None)).codes

    def test_a_text_stays_within_its_quotes(self):
        self.assertEqual(filters.equals("userName", 'x" or active pr'), 'userName eq "x\\" or active pr"')
        self.assertEqual(filters.equals_any("id", ["a", "b"]), 'id eq "a" or id eq "b"')
        self.assertIsNone(filters.equals_any("id", []))


@dataclass(frozen=True)
class Limit:
    path: str = setting("A path", minLength=1)
    at_least: int = setting("The fewest", 1)


@dataclass(frozen=True)
class Settings:
    rules: list[Limit] = setting("The rules")
    note: Literal["all", "none"] | None = setting("What to note", None)
    weights: dict[str, float] = setting("By name", {})
    tags: tuple[str, ...] = field(default=())


class Typed(Constraint[Settings]):
    name, version, summary, actions = "typed", "1.0.0", "x", [Action.CREATE]

    def evaluate(self, operation, settings):
        return deny_any(Reason(f"{rule.path}-{rule.at_least}", "-") for rule in settings.rules)

    def check_settings(self, settings):
        return [Problem(f"/rules/{i}/path", "it is blank") for i, rule in enumerate(settings.rules) if not rule.path.strip()]


class SettingsTest(unittest.TestCase):
    def test_settings_are_a_schema_types_and_what_is_left_out(self):
        schema = json.loads(settings_schema(Typed()))
        self.assertEqual((schema["required"], schema["additionalProperties"]), (["rules"], False))
        self.assertEqual(schema["properties"]["note"], {"description": "What to note", "enum": ["all", "none"]})
        item = schema["properties"]["rules"]["items"]
        self.assertEqual(item["properties"]["path"], {"description": "A path", "minLength": 1, "type": "string"})
        self.assertEqual(item["properties"]["atLeast"], {"description": "The fewest", "type": "integer", "default": 1})
        given = {"rules": [{"path": "a"}, {"path": "b", "atLeast": 3}], "weights": {"x": 1}}
        self.assertEqual(Scenario.create("User", ADA).check(Typed, given).codes, ["a-1", "b-3"])

    def test_problems_of_settings_are_told_where_they_are(self):
        self.assertEqual(settings_problems(Typed, {"rules": [{"path": "a"}, {"path": " "}]}), ["/rules/1/path: it is blank"])
        for settings, named in [
            ({}, "`rules` is missing"),
            ({"rules": [], "rule": 1}, "there is no `rule`"),
            ({"rules": [{"path": 7}]}, "`path` is 7"),
            ({"rules": [{"path": "a", "atLeast": True}]}, "`atLeast` is True"),
            ({"rules": [], "note": "some"}, "`note` is 'some'"),
            ([], "no object"),
        ]:
            self.assertIn(named, settings_problems(Typed, settings)[0])

    def test_a_constraint_that_lacks_something_is_an_error(self):
        class Nameless(Constraint[NoSettings]):
            version, summary, actions = "1.0.0", "x", [Action.CREATE]

        with self.assertRaisesRegex(TypeError, "needs `name`"):
            Scenario.create("User", ADA).check(Nameless)
        with self.assertRaisesRegex(TypeError, "no class that derives"):
            Scenario.create("User", ADA).check(Settings)
