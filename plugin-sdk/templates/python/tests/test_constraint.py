import unittest

from constraint import Rule
from scruple_sdk.testing import Scenario, settings_problems

SETTINGS = {"domain": "example.com"}


def user(address):
    return {"userName": "ada", "emails": [{"value": address, "type": "work"}]}


class RuleTest(unittest.TestCase):
    def check(self, scenario, *expected, settings=SETTINGS):
        self.assertEqual(scenario.check(Rule, settings).codes, list(expected))

    def test_a_work_address_is_at_the_domain(self):
        self.check(Scenario.create("User", user("ada@example.com")))
        self.check(Scenario.create("User", user("ada@elsewhere.example")), "foreign-domain")

    def test_a_domain_with_a_star_stands_for_those_below_it(self):
        below = {"domain": "*.example.com"}
        self.check(Scenario.create("User", user("ada@team.Example.com")), settings=below)
        self.check(Scenario.create("User", user("ada@example.com")), "foreign-domain", settings=below)
        self.check(Scenario.create("User", user("ada@evilexample.com")), "foreign-domain", settings=below)

    def test_an_old_address_does_not_stop_a_change_of_something_else(self):
        before = user("ada@elsewhere.example")
        self.check(Scenario.update("User", before, {**before, "userName": "ada.lovelace"}))
%if directory

    def test_an_address_is_that_of_one_user(self):
        bob = {**user("bob@example.com"), "id": "1"}
        self.check(Scenario.create("User", user("bob@example.com")).user(bob), "address-taken")
%end
%if tables

    def test_a_department_is_one_of_the_table(self):
        extension = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
        for department, expected in [("D-7", []), ("D-9", ["unknown-department"])]:
            ada = {**user("ada@example.com"), extension: {"department": department}}
            self.check(Scenario.create("User", ada).table("departments", ["D-7"]), *expected)
%end

    def test_a_domain_with_an_at_sign_is_a_problem_of_the_settings(self):
        self.assertEqual(settings_problems(Rule, SETTINGS), [])
        self.assertEqual(settings_problems(Rule, {"domain": "@example.com"}), ["/domain: a domain has no `@`"])
