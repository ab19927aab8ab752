"""The suite can fail: with one safeguard taken away, the checks tell what went wrong."""

from __future__ import annotations

from inpaint_benchmark.chaos import faults, messages
from inpaint_benchmark.chaos.orders import Order
from inpaint_benchmark.chaos.plan import Planned
from inpaint_benchmark.chaos.run import Result, Run, run_chaos
from inpaint_benchmark.chaos.sabotage import Sabotage
from inpaint_benchmark.chaos.scene import MODELS
from inpaint_core.settings import Settings
from inpaint_fleet.cli.chaos import LocalFaults

Own = tuple[Settings, LocalFaults]
MODEL = MODELS[0]


def run(own: Own, sabotage: Sabotage, *, prompt: str, jobs: int, plan: list[Planned], quiet_s: float) -> Result:
    orders = [Order(f"job-{number}", 0, MODEL, prompt, 0) for number in range(jobs)]
    mine = Run(1, orders, plan, workers=(MODEL, MODEL), relays=1, quiet_s=quiet_s, sabotage=sabotage)
    return run_chaos(mine, *own, say=print)


def freezes(count: int) -> list[Planned]:
    return [Planned(1 + 7 * number, faults.freeze_worker) for number in range(count)]


def test_without_sabotage_a_small_run_keeps_every_promise(own: Own) -> None:
    plan = [*freezes(1), Planned(1.5, messages.deliver_again), Planned(2, faults.kill_worker)]
    result = run(own, "none", prompt="work 1", jobs=6, plan=plan, quiet_s=40)
    assert result.violations == []
    assert result.ended == {"succeeded": 6}


def test_without_the_fence_a_frozen_worker_is_caught_overwriting_its_successor(own: Own) -> None:
    result = run(own, "fence", prompt="work 1.5", jobs=5, plan=freezes(1), quiet_s=15)
    print(*result.violations, sep="\n")
    assert any("another's" in line or "attempts succeeded" in line for line in result.violations), result.violations


def test_without_the_check_at_the_claim_two_workers_are_caught_with_one_job(own: Own) -> None:
    plan = [Planned(0.5 + 0.3 * number, messages.deliver_again) for number in range(6)]
    result = run(own, "claim", prompt="work 1", jobs=4, plan=plan, quiet_s=15)
    assert any("was claimed while" in line for line in result.violations), result.violations


def test_without_a_relay_the_job_of_a_killed_worker_is_missed(own: Own) -> None:
    result = run(own, "relay", prompt="work 1", jobs=4, plan=[Planned(1, faults.kill_worker)], quiet_s=6)
    assert any("is still running" in line for line in result.violations), result.violations


def test_objects_that_are_stored_short_are_noticed(own: Own) -> None:
    result = run(own, "bytes", prompt="work 0.1", jobs=3, plan=[], quiet_s=15)
    told = [line for line in result.violations if "not those that were recorded" in line]
    assert len({line.split()[1] for line in told}) == 3  # jobs; each has a result and a region
