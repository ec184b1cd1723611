import json
import unittest
from dataclasses import dataclass

from scruple_sdk import Action, Allow, Constraint, Draft, Edit, NoSettings, Rewriter, setting
from scruple_sdk.constraint import checked
from scruple_sdk.testing import Scenario, settings_problems

BADGE = "urn:example:params:scim:schemas:Badge"

ADA = {
    "userName": "Ada",
    "name": {"givenName": "Ada", "familyName": "Lovelace"},
    "emails": [{"value": "Ada@Example.com", "type": "work"}, {"value": "ada@home.example", "type": "home"}],
}


def rewriting(rewrite, **more):
    class Rule(Rewriter[NoSettings]):
        name, version, summary = "x", "1.0.0", "x"
        actions = [Action.CREATE, Action.UPDATE]
        writes = ["*"]

        def rewrite(self, operation, settings):
            return rewrite(operation)

    for name, value in more.items():
        setattr(Rule, name, value)
    return Rule


def rewritten(rewrite, **more):
    return Scenario.create("User", ADA).rewrite(rewriting(rewrite, **more))


def after(*edits):
    return rewritten(lambda _: edits).after


class Edits(unittest.TestCase):
    def test_edits_are_made_as_a_patch_makes_them(self):
        untouched = json.dumps(ADA)
        self.assertEqual(after(Edit.set("USERNAME", "ada"))["userName"], "ada")
        self.assertEqual(after(Edit.set("name", {"givenName": "A."}))["name"], {"givenName": "A.", "familyName": "Lovelace"})
        self.assertEqual(after(Edit.set("name.givenName", None))["name"], {"familyName": "Lovelace"})
        work = after(Edit.set('emails[type eq "work"].value', "a@x"))["emails"][0]
        self.assertEqual(work, {"value": "a@x", "type": "work"})
        self.assertNotIn("emails", after(Edit.set("emails", [])))
        self.assertEqual(after(Edit.set(f"{BADGE}:badge", "B1"))[BADGE], {"badge": "B1"})
        self.assertEqual(after(Edit.set("phoneNumbers.value", "1"))["phoneNumbers"], [{"value": "1"}])
        self.assertEqual(len(after(Edit.append("emails", {"value": "third@x", "type": "other"}))["emails"]), 3)
        again = after(Edit.append("emails", {"value": "ada@home.example", "type": "home", "primary": True}))["emails"]
        self.assertEqual([len(again), again[1].get("primary")], [2, True])
        self.assertEqual(after(Edit.remove('emails[type eq "home"]'))["emails"], [ADA["emails"][0]])
        self.assertNotIn("name", after(Edit.remove("name.givenName"), Edit.remove("name.familyName")))
        self.assertEqual(json.dumps(ADA), untouched)

    def test_an_edit_that_cannot_be_made_is_a_fault_that_names_it(self):
        for wrong, said in [
            (Edit.remove('emails[type eq "other"]'), '`emails[type eq "other"]` cannot be made: it selects no value'),
            (Edit.append("nickNames", "a"), "whether it has several values"),
            (Edit.append("userName", "a"), "no multi-valued attribute"),
            (Edit.append("emails", []), "one value can be appended"),
            (Edit.set("a.b.c", 1), "no attribute path"),
            (Edit("move", "title"), "there is no edit `move`"),
        ]:
            self.assertIn(said, rewritten(lambda _, wrong=wrong: [wrong]).fault)
        undeclared = rewritten(lambda _: [Edit.set("name.givenName", "A.")], writes=["userName", "emails"])
        self.assertIn("`name.givenname` is not among the declared writes", undeclared.fault)
        with self.assertRaisesRegex(ValueError, "not granted"):
            undeclared.after
        self.assertIsNone(rewritten(lambda _: [Edit.set('emails[type eq "work"].value', "a@x")], writes=["emails"]).fault)
        self.assertIn("no state after", Scenario.delete("User", ADA).rewrite(rewriting(lambda _: [])).fault)


class Drafts(unittest.TestCase):
    def drafted(self, work):
        def rewrite(operation):
            draft = Draft(operation.after)
            work(draft)
            return draft.edits()

        return rewritten(rewrite)

    def test_a_draft_gives_the_edits_that_it_takes(self):
        def work(draft):
            draft.map_texts("userName", str.lower)
            draft.map_texts("emails.value", str.lower)
            draft.set("name.givenName", "A.")
            self.assertEqual(draft.value("name")["givenName"], "A.")
            self.assertEqual(draft.value("emails.value"), ["ada@example.com", "ada@home.example"])
            draft.set("displayName", f"{draft.text('name.givenName')} {draft.text('name.familyName')}")

        made = self.drafted(work)
        self.assertEqual([edit.path for edit in made.edits], ["displayName", "emails", "name.givenName", "userName"])
        self.assertEqual(made.after["emails"][0]["value"], "ada@example.com")
        self.assertEqual(made.after["displayName"], "A. Lovelace")

    def test_what_changes_nothing_is_no_edit(self):
        def work(draft):
            draft.set("name", {"familyName": "Lovelace", "givenName": "Ada"})
            draft.map_texts("emails.type", str.lower)
            draft.map_texts("title", str.lower)

        self.assertEqual(self.drafted(work).edits, [])


class Declarations(unittest.TestCase):
    def test_what_is_declared_is_held_against_it_and_settings_are_read(self):
        @dataclass(frozen=True)
        class Settings:
            suffix: str = setting("What is appended")

        class Suffix(Rewriter[Settings]):
            name, version, summary = "suffix", "1.0.0", "Names end alike"
            actions = [Action.CREATE]
            reads = writes = ["userName"]

            def rewrite(self, operation, settings):
                # A generator is as good as a list.
                yield Edit.set("userName", operation.after.text("userName") + settings.suffix)

        made = Scenario.create("User", ADA).rewrite(Suffix, {"suffix": "!"})
        self.assertEqual(made.after["userName"], "Ada!")
        self.assertEqual(made.reads, ["after userName"])
        self.assertEqual(len(settings_problems(Suffix, {})), 1)
        unread = rewritten(lambda operation: [Edit.set("title", operation.after.text("title"))], reads=["userName"])
        self.assertIn("declared reads", unread.fault)
        with self.assertRaisesRegex(TypeError, "needs `writes`"):
            rewritten(lambda _: [], writes=[])

    def test_a_component_exports_what_pyproject_names(self):
        class Both(Constraint[NoSettings], rewriting(lambda _: [])):
            def evaluate(self, operation, settings):
                return Allow()

        alone = rewriting(lambda _: [])
        self.assertIsInstance(checked(Both, ["check", "rewrite"]), Both)
        self.assertIsInstance(checked(alone, ["rewrite"]), alone)
        self.assertTrue(Scenario.create("User", ADA).check(Both).is_allowed)
        for rule, exported, said in [
            (Both, ["check"], "name it as `tool.scruple.rewriter`"),
            (alone, ["check"], "which does not derive from `Constraint`"),
            ("Both", ["rewrite"], "no class that derives from `Rewriter`"),
        ]:
            with self.assertRaisesRegex(TypeError, said):
                checked(rule, exported)
