"""The page in a real browser: the key, the forecast, its words, its errors, and how it behaves without a mouse."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.browser.conftest import KEY, Stub, forecast, history

OpenPage = Any
WIDE = {"viewport": {"width": 1180, "height": 900}}
PHONE = {"viewport": {"width": 360, "height": 740}}


def shown(page: Any) -> Any:
    page.wait_for_selector("#vo2chart svg")
    return page


def test_the_key_comes_from_the_address_and_leaves_it(stub: Stub, open_page: OpenPage) -> None:
    page = shown(open_page(f"{stub.url}#key={KEY}"))
    assert page.url == stub.url
    page.reload()
    shown(page)
    assert set(stub.keys_seen) == {KEY}


def test_the_key_is_asked_for_once(stub: Stub, open_page: OpenPage) -> None:
    page = open_page(stub.url)
    assert page.is_visible("#keyform")
    assert not page.is_visible("#choose")
    page.fill("#key", "wrong")
    page.press("#key", "Enter")
    page.locator("#keyerror", has_text="not known").wait_for()
    page.fill("#key", KEY)
    page.press("#key", "Enter")
    shown(page)
    page.click("#forget")
    assert page.is_visible("#keyform")
    page.reload()
    assert page.is_visible("#keyform"), "forgotten means forgotten"


def test_it_works_where_the_base_path_has_no_slash_at_its_end(stub: Stub, open_page: OpenPage) -> None:
    shown(open_page(f"{stub.url.rstrip('/')}#key={KEY}"))


def test_it_tells_the_forecast_in_words(stub: Stub, open_page: OpenPage) -> None:
    page = shown(open_page(f"{stub.url}#key={KEY}", **WIDE))
    assert page.inner_text("#nowvalue") == "49.8"
    assert "4 days ago" in page.inner_text("#nowage")
    assert page.inner_text("#aheadtitle") == "In 6 weeks"
    assert page.inner_text("#aheadvalue") == "50.6"
    assert "+0.8" in page.inner_text("#change")
    assert "Likely 48.9 to 52.4" in page.inner_text("#aheadrange")
    served = page.inner_text("#served")
    assert "Days 1–7: the last reading stays" in served and "Days 29–42: the combined forecast" in served
    assert "On 8 athletes it was measured at 15-28." in served
    assert page.locator("#served li").count() == 4
    assert "about 5 % (up to 10 % in the highly trained)" in page.inner_text("#laboratory")
    assert not page.is_visible("#notes")
    assert "Half marathon" in page.inner_text("#races") and "Daniels" in page.inner_text("#races")
    assert not page.is_visible("#confidence") and not page.is_visible("#stale")
    assert page.is_disabled("#weekly")
    assert "proved no gain" in page.inner_text("#whatifreason")


def test_a_plan_tells_its_difference_once_what_if_has_proved_itself(stub: Stub, open_page: OpenPage) -> None:
    usual = forecast(date.today() - timedelta(days=1))
    usual["what_if"] = {"enabled": True, "reason": "an association, not an effect of training"}
    stub.answer("athletes/anna/forecast", usual)
    planned = [day | {"difference": {"expected": 0.42, "low_90": -0.1, "high_90": 0.9}} for day in usual["days"]]
    stub.answer("what-if", usual | {"days": planned})
    page = shown(open_page(f"{stub.url}#key={KEY}", **WIDE))
    assert not page.is_visible("#whatifstate")
    most = int(page.get_attribute("#weekly", "max"))
    page.focus("#weekly")
    page.press("#weekly", "End")
    page.wait_for_selector("#whatifreason:has-text('against as usual')")
    told = page.inner_text("#whatifreason")
    assert "In 42 days: +0.4 ml/kg/min against as usual (likely −0.1 to +0.9)" in told
    assert "not an effect" in told
    assert stub.planned == [{"weekly_load": [most]}]
    stub.problem("what-if", 400, "Bad request", "A week of 900 is beyond this athlete's past.")
    page.press("#weekly", "Home")
    page.wait_for_selector("#whatifreason:has-text('beyond')")


def test_the_chart_holds_every_reading_of_the_span_and_both_bands(stub: Stub, open_page: OpenPage) -> None:
    page = shown(open_page(f"{stub.url}#key={KEY}", **WIDE))
    assert page.locator("#vo2chart .band80").count() == page.locator("#vo2chart .band90").count() == 1
    as_of = date.today() - timedelta(days=1)
    readings = history(as_of)["readings"]
    for label, days in (("3 months", 90), ("All", 10_000)):
        page.click(f"#ranges >> text={label}")
        within = [r for r in readings if date.fromisoformat(r["day"]) >= as_of - timedelta(days=days)]
        assert page.locator("#vo2chart .dot").count() == len(within)
        assert page.get_attribute(f"#ranges >> text={label}", "aria-pressed") == "true"


def test_another_athlete_is_remembered(stub: Stub, open_page: OpenPage) -> None:
    page = shown(open_page(f"{stub.url}#key={KEY}"))
    page.select_option("#athlete", "ben & co")
    page.locator("#athlete option:checked[value='ben & co']").wait_for(state="attached")
    page.reload()
    shown(page)
    assert page.input_value("#athlete") == "ben & co"


def test_charts_are_read_with_the_keyboard(stub: Stub, open_page: OpenPage) -> None:
    page = shown(open_page(f"{stub.url}#key={KEY}", **WIDE))
    page.focus("#vo2chart svg")
    page.keyboard.press("ArrowLeft")
    read = page.inner_text("#vo2chart .read")
    assert "expected" in read and "80 %" in read and "by the combined forecast" in read
    page.keyboard.press("Escape")
    assert not page.is_visible("#vo2chart .read")
    page.focus("#loadchart svg")
    page.keyboard.press("PageUp")
    assert "fitness" in page.inner_text("#loadchart .read")


def test_tooltips_open_by_focus_and_stay_in_the_window(stub: Stub, open_page: OpenPage) -> None:
    page = shown(open_page(f"{stub.url}#key={KEY}", **PHONE))
    for index in range(page.locator(".tip").count()):
        tip = page.locator(".tip").nth(index)
        tip.focus()
        box = tip.locator("span").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 360, tip.get_attribute("aria-label")
    page.keyboard.press("Escape")
    assert not page.locator(".tip span").last.is_visible()


@pytest.mark.parametrize("context", [WIDE, PHONE])
def test_nothing_is_wider_than_the_window(stub: Stub, open_page: OpenPage, context: dict[str, Any]) -> None:
    page = shown(open_page(f"{stub.url}#key={KEY}", **context))
    assert page.evaluate("document.documentElement.scrollWidth") <= context["viewport"]["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_light_and_dark(stub: Stub, open_page: OpenPage, scheme: str) -> None:
    page = shown(open_page(f"{stub.url}#key={KEY}", color_scheme=scheme))
    contrast = """(selector) => {
        const light = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => v / 255)
            .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
        const node = document.querySelector(selector), card = node.closest('.card');
        const [a, b] = [light(getComputedStyle(node).color), light(getComputedStyle(card).backgroundColor)];
        return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    }"""
    for selector in (
        "#nowvalue",
        "#nowage",
        "#aheadvalue",
        "#served",
        "#served p",
        "#laboratory",
        "#modelline",
        "td.range",
        ".legend li",
    ):
        assert page.evaluate(contrast, selector) >= 4.5, selector


def test_low_confidence_and_old_data_are_said(stub: Stub, open_page: OpenPage) -> None:
    old = date.today() - timedelta(days=40)
    stub.answer("athletes/anna/forecast", forecast(old, confidence="low"))
    stub.answer("athletes/anna/history", history(old))
    page = shown(open_page(f"{stub.url}#key={KEY}"))
    assert "40 days of training" in page.inner_text("#confidence")
    assert "40 days ago" in page.inner_text("#stale")


def test_ranges_without_evidence_are_shown_together_by_what_answered(stub: Stub, open_page: OpenPage) -> None:
    bare = forecast(date.today() - timedelta(days=1))
    del bare["evidence"], bare["notes"]
    for day in bare["days"]:
        day["served_by"] = "persistence" if day["horizon_days"] == 1 else "forecaster"
    stub.answer("athletes/anna/forecast", bare)
    page = shown(open_page(f"{stub.url}#key={KEY}"))
    texts = page.locator("#served li").all_inner_texts()
    assert [text.split(":")[0] for text in texts] == ["Day 1", "Days 2–42"]
    assert texts[1] == "Days 2–42: the model."


def test_what_is_not_known_of_the_athlete_is_noted_without_a_warning(stub: Stub, open_page: OpenPage) -> None:
    note = "No training is known of this athlete: the forecast rests on the readings alone."
    stub.answer("athletes/anna/forecast", forecast(date.today() - timedelta(days=1)) | {"notes": [note]})
    page = shown(open_page(f"{stub.url}#key={KEY}"))
    assert page.inner_text("#notes") == note
    assert not page.is_visible("#confidence")


def test_cycling_has_no_race_times_and_says_so(stub: Stub, open_page: OpenPage) -> None:
    stub.answer("athletes/anna/forecast", forecast(date.today(), sport="cycling"))
    page = shown(open_page(f"{stub.url}#key={KEY}"))
    assert "running only" in page.inner_text("#races")
    assert page.inner_text("#sport") == "Cycling"


def test_no_readings_and_no_load_break_nothing(stub: Stub, open_page: OpenPage) -> None:
    stub.answer("athletes/anna/history", history(date.today()) | {"readings": [], "load": []})
    page = shown(open_page(f"{stub.url}#key={KEY}"))
    assert "No training load" in page.inner_text("#loadchart")


def test_a_problem_is_shown_in_its_own_words_and_tried_again(stub: Stub, open_page: OpenPage) -> None:
    well = stub.answers["athletes/anna/forecast"]
    stub.problem("athletes/anna/forecast", 409, "No VO2max reading yet", "Sync a run & try tomorrow.")
    page = open_page(f"{stub.url}#key={KEY}")
    page.wait_for_selector("#problem", state="visible")
    assert page.inner_text("#problemtitle") == "No VO2max reading yet"
    assert page.inner_text("#problemdetail") == "Sync a run & try tomorrow."
    stub.answers["athletes/anna/forecast"] = well
    page.click("#again")
    shown(page)


def test_an_endpoint_that_starts_is_waited_for(stub: Stub, open_page: OpenPage) -> None:
    well = stub.answers["athletes/anna/forecast"]
    stub.problem("athletes/anna/forecast", 503, "The model is starting", "Try again in 1 s.", retry_after=1)
    page = open_page(f"{stub.url}#key={KEY}")
    page.wait_for_selector("#problem", state="visible")
    stub.answers["athletes/anna/forecast"] = well
    shown(page)


def test_names_from_the_server_are_text_not_markup(stub: Stub, open_page: OpenPage) -> None:
    name = "<img src=x onerror=alert(1)>"
    stub.answer("athletes", {"athletes": [name]})
    stub.problem("athletes/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E/forecast", 404, name, name)
    page = open_page(f"{stub.url}#key={KEY}")
    page.wait_for_selector("#problem", state="visible")
    assert page.locator("main img, header img").count() == 0


def test_no_athletes_yet_says_so(stub: Stub, open_page: OpenPage) -> None:
    stub.answer("athletes", {"athletes": []})
    page = open_page(f"{stub.url}#key={KEY}")
    page.wait_for_selector("#problem", state="visible")
    assert "No athletes yet" in page.inner_text("#problem")
