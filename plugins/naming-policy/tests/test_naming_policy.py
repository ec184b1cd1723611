import unittest

from naming_policy import NamingPolicy
from scruple_sdk.testing import Scenario, settings_problems

SETTINGS = {"templates": ["{given}.{family}", "{given:1}{family}"], "reserved": ["Admin", "ada.admin"]}


def user(user_name, given="Ada", family="Lovelace"):
    name = {key: value for key, value in {"givenName": given, "familyName": family}.items() if value}
    return {"userName": user_name, "name": name}


class NamingPolicyTest(unittest.TestCase):
    def check(self, created, *expected, settings=SETTINGS):
        self.assertEqual(Scenario.create("User", created).check(NamingPolicy, settings).codes, list(expected))

    def test_a_user_name_follows_from_the_name(self):
        for user_name in ["ada.lovelace", "Ada.Lovelace@example.com", "alovelace", "ada.lovelace2"]:
            self.check(user(user_name))
        for user_name in ["ada", "ada.lovelacex", "lovelace.ada", "ada.lovelace.2", "@example.com"]:
            self.check(user(user_name), "naming-policy")

    def test_names_are_spelled_in_ascii(self):
        self.check(user("zoe.oneill", "Zoë", "O'Neill"))
        self.check(user("juergen.strauss", "Jürgen", "Strauß"), "naming-policy")
        self.check(user("jurgen.strauss", "Jürgen", "Strauß"))
        self.check(user("annamaria.dangelo", "Anna Maria", "D’Angelo"))

    def test_a_number_is_accepted_unless_the_tenant_says_otherwise(self):
        self.check(user("ada.lovelace2"), "naming-policy", settings={**SETTINGS, "numbered": False})

    def test_a_reserved_name_is_refused_even_if_it_follows(self):
        self.check(user("ada.admin", family="Admin"), "reserved-name")
        self.check(user("ADMIN"), "reserved-name", "naming-policy")

    def test_who_has_no_name_gets_none(self):
        self.check(user("ada", family=None), "name-missing")
        self.check(user("ada", "王", "芳"), "name-missing")

    def test_a_name_that_changes_keeps_its_user_name(self):
        before, married = user("ada.byron", family="Byron"), user("ada.byron", family="King")
        outcome = Scenario.update("User", before, married).check(NamingPolicy, SETTINGS)
        self.assertTrue(outcome.is_allowed)

    def test_a_template_names_parts_that_there_are(self):
        problems = settings_problems(NamingPolicy, {"templates": ["{given}", "{nick}.{family}"]})
        self.assertEqual(problems, ["/templates/1: it names `nick`; there are given and family"])
