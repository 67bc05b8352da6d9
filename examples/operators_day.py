#!/usr/bin/env python3
"""A day of an operator's work, as a client of the M4 XML API does it.

Written from the documentation of that API, with nothing but Python's standard library. What
the XML API has no methods for, rates and calls, goes in by the command `tollbook`.

    cargo run --release -- serve --demo
    TOLLBOOK_TOKEN=tb_demo examples/operators_day.py --tollbook target/release/tollbook

The names of what it makes end in a number, so that it can run any number of times.
"""

import argparse
import hashlib
import pathlib
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree
from decimal import Decimal


class ApiError(Exception):
    """What the API answered in place of a success."""


class Api:
    """A client of the XML API."""

    def __init__(self, url, username, secret):
        self.url = url
        self.username = username
        self.secret = secret

    def call(self, method, hashed=(), **params):
        """Calls a method; `hashed` names the parameters that its hash is made of, in order."""
        params = {"u": self.username, **{name: str(value) for name, value in params.items()}}
        signed = "".join(params[name] for name in hashed) + self.secret
        params["hash"] = hashlib.sha1(signed.encode()).hexdigest()
        body = urllib.parse.urlencode(params).encode()
        with urllib.request.urlopen(f"{self.url}/billing/api/{method}", body) as response:
            answer = ElementTree.fromstring(response.read())
        error = answer.find(".//error")
        if error is not None:
            raise ApiError(error.text)
        return answer


def say(text):
    print(text, flush=True)


def check(condition, what):
    if not condition:
        raise SystemExit(f"not as it should be: {what}")


def tollbook(options, *args, stdin=None):
    """Runs the command; `stdin` becomes the file that it reads last."""
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "input.csv"
        file.write_text(stdin, encoding="utf-8")
        command = [options.tollbook, *args[:2], str(file), *args[2:], "--core", options.core]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        check(result.returncode == 0, f"{args}: {result.stdout}{result.stderr}")


def create_user(api, name, **details):
    answer = api.call("user_create", username=name, password="correct horse", **details)
    return int(answer.findtext(".//user_id"))


def create_tariff(api, options, name, rates):
    """A tariff with rates, in EUR."""
    answer = api.call("tariff_wholesale_update", ["currency"], name=name, currency="EUR")
    tariff = int(answer.findtext("tariff_id"))
    deck = "prefix,destination,rate,increment,min_time\n" + rates
    tollbook(options, "import", "rates", "--tariff", str(tariff), stdin=deck)
    return tariff


def create_point(api, user, **params):
    """A connection point, whose id the answer does not have: the list of devices does."""
    api.call("cp_create", ["user_id"], user_id=user, **params)
    devices = api.call("devices_get", ["user_id"], user_id=user).findall(".//device_id")
    return int(devices[-1].text)


def balance(api, username):
    answer = api.call("user_balance_get", ["username"], username=username)
    return Decimal(answer.findtext("balance"))


def day(api, options, run):
    """What an operator does in a day."""
    quiet = api.call("quickstats_get").find("quickstats/today")
    selling = create_tariff(api, options, f"sell-{run}", "370,Lithuania,0.60,1,0\n")
    buying = create_tariff(api, options, f"buy-{run}", "370,Lithuania,0.36,1,0\n")
    rates = api.call("tariff_rates_get", ["tariff_id"], tariff_id=selling)
    check(rates.findtext(".//tariff_rate") == "0.6", "the rate that was imported")
    say(f"tariffs {selling} and {buying}")

    client_name, carrier_name = f"client-{run}", f"carrier-{run}"
    client = create_user(api, client_name, tariff_id=selling, first_name="New Client", postpaid=0)
    carrier = create_user(api, carrier_name, tariff_id=buying)
    comment = "Rome & Sons: <first>"
    api.call("user_details_update", ["u", "user_id"], user_id=client, comment=comment)
    raw = api.call("user_details_raw_get", ["u", "user_id"], user_id=client)
    check(raw.findtext(".//comment") == comment, "the comment as it was sent")
    say(f"client {client} and carrier {carrier}")

    origination = create_point(api, client, op=1, ipaddr="198.51.100.7", create_rg_for_op=1)
    termination = create_point(api, carrier, tp=1, ipaddr="203.0.113.0/28")
    api.call("cp_update", ["cp_id"], cp_id=origination, op_capacity=30, tech_prefix="")
    device = api.call("device_details_get", ["device_id"], device_id=origination)
    check(device.findtext(".//op_capacity") == "30", "the capacity that was set")
    say(f"connection points {origination} and {termination}")

    payment = api.call("payment_create", ["user_id", "amount", "currency"],
                       user_id=client, amount="50", currency="USD", comment="bank transfer")
    paid = payment.find(".//payment")
    check(paid.get("currency") == "USD", "the currency of the payment")
    check(balance(api, client_name) == Decimal(paid.findtext("amount")), "the balance after it")
    say(f"payment {paid.findtext('payment_id')} of {paid.findtext('gross')} USD")

    began = int(time.time()) - 600
    calls = "call_id,start_time,billsec,destination,origination_point_id,termination_point_id\n"
    for number in range(10):
        start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began + number))
        calls += f"day-{run}-{number},{start},90,3706123456{number},{origination},{termination}\n"
    tollbook(options, "import", "calls", stdin=calls)
    # The same file again changes nothing.
    tollbook(options, "import", "calls", stdin=calls)

    listed = api.call("user_calls_get", ["period_start", "period_end", "s_user"],
                      period_start=began, period_end=began + 600, s_user=client)
    prices = [Decimal(price.text) for price in listed.findall(".//call/user_price")]
    costs = [Decimal(price.text) for price in listed.findall(".//call/provider_price")]
    check(len(prices) == 10, "ten calls, each once")
    check(balance(api, client_name) == Decimal(50) - sum(prices), "what the calls cost")
    check(balance(api, carrier_name) == sum(costs), "what the carrier earned")
    say(f"10 calls for {sum(prices):.4f} USD, which cost {sum(costs):.4f}")

    totals = api.call("aggregates_get", **{"from": began, "till": began + 600},
                      s_originator_id=client, group_by_originator=1, group_by_terminator=1)
    check(Decimal(totals.findtext(".//originator_price")) == sum(prices), "the calls' sum")
    check(totals.findtext(".//answered_calls") == "10", "how many were answered")
    stats = api.call("quickstats_get").find("quickstats/today")
    more = int(stats.findtext("calls")) - int(quiet.findtext("calls"))
    # Around midnight some of them are yesterday's.
    check(more in range(11), "today's calls")
    say(f"{stats.findtext('calls')} calls today, margin {stats.findtext('margin')} %")

    for method, params, text in [
        ("user_delete", {"user_id": client}, "Cannot delete user - he has some calls"),
        ("cp_delete", {"cp_id": 999999999}, "Connection Point was not found"),
        ("users_get", {"user_id": "nobody"}, "User was not found"),
    ]:
        hashed = ["u", "user_id"] if method == "users_get" else list(params)
        try:
            api.call(method, hashed, **params)
        except ApiError as error:
            check(str(error) == text, f"{method}: {error}")
        else:
            check(False, f"{method} should have been refused")
    for point in origination, termination:
        api.call("cp_delete", ["cp_id"], cp_id=point)
    leaver = create_user(api, f"leaver-{run}")
    answer = api.call("user_delete", ["user_id"], user_id=leaver)
    check(answer.findtext("status") == "User deleted", "the user is gone")
    say("the points and a user without calls are deleted; a user with calls stays")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="of the XML API")
    parser.add_argument("--user", default="admin")
    parser.add_argument("--secret", default="secret", help="the API secret key")
    parser.add_argument("--tollbook", default="tollbook", help="the command")
    parser.add_argument("--core", default="http://127.0.0.1:50051", help="URL of the core")
    options = parser.parse_args()
    day(Api(options.url, options.user, options.secret), options, time.time_ns())
    say("done")


if __name__ == "__main__":
    main()
