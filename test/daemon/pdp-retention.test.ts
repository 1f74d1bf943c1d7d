import { expect, it } from "vitest";
import { keepPruned } from "../../src/daemon/pdp-retention.js";
import { Cleanup } from "../../src/daemon/role.js";
import { millis } from "../../src/model/units.js";
import { FakeClock } from "../support/fake-clock.js";

const DAY = 86_400_000;
const HOUR = 3_600_000;

it("forgets sessions and billing records at the start and every six hours, each after its own time, until the role ends", async () => {
  const clock = new FakeClock(1000 * DAY);
  const cleanup = new Cleanup();
  const pruned: string[] = [];
  const note = (what: string) => ({ prune: (time: number) => void pruned.push(`${what} before ${time / DAY}`) });
  const config = { records: { retention: millis(400 * DAY) } };
  keepPruned({ config, clock, cleanup }, { store: note("sessions"), records: note("records") });
  expect(pruned.splice(0)).toEqual(["sessions before 910", "records before 600"]);
  await clock.pass(13 * HOUR);
  expect(pruned.splice(0)).toEqual([
    "sessions before 910.25",
    "records before 600.25",
    "sessions before 910.5",
    "records before 600.5",
  ]);
  await cleanup.run();
  await clock.pass(2 * DAY);
  expect(pruned).toEqual([]);
});
