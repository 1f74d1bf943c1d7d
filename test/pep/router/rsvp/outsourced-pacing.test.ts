import { describe, expect, it } from "vitest";
import { millis } from "../../../../src/model/units.js";
import { PacedRequests } from "../../../../src/pep/router/rsvp/outsourced-pacing.js";
import { FakeClock, settle } from "../../../support/fake-clock.js";

function bench(maxUnderWay = 2) {
  const clock = new FakeClock();
  const pace = new PacedRequests({ clock, maxUnderWay, patience: millis(100) });
  const log: string[] = [];
  const finish: (() => void)[] = [];
  const ask = (name: string): void => {
    const asked = () => {
      log.push(name);
      return new Promise<void>((resolve) => finish.push(resolve));
    };
    pace.run(asked).then(
      () => log.push(`${name} done`),
      (error: { code: string }) => log.push(`${name} ${error.code}`),
    );
  };
  return { clock, pace, log, finish, ask };
}

describe("requests to a policy server", () => {
  it("are under way a few at a time, in their order", async () => {
    const { pace, log, finish, ask } = bench();
    pace.up();
    for (const name of ["a", "b", "c", "d"]) ask(name);
    expect([log, pace.underWay, pace.waiting]).toEqual([["a", "b"], 2, 2]);
    finish[1]?.();
    await settle();
    expect(log).toEqual(["a", "b", "b done", "c"]);
  });

  it("wait for a connection that is away, but not for ever, and then not at all", async () => {
    const { clock, pace, log, ask } = bench();
    ask("a");
    await clock.pass(99);
    expect(log).toEqual([]);
    await clock.pass(1);
    expect(log).toEqual(["a COPS_DOWN"]);
    ask("b");
    await settle();
    expect(log).toEqual(["a COPS_DOWN", "b COPS_DOWN"]);
    pace.up();
    ask("c");
    expect(log.at(-1)).toBe("c");
    pace.down();
    ask("d");
    await clock.pass(50);
    pace.up();
    expect(log.at(-1)).toBe("d");
    await clock.pass(1000);
    expect(log.at(-1)).toBe("d");
  });

  it("fail when nobody asks any more", async () => {
    const { clock, pace, log, ask } = bench();
    ask("a");
    pace.close();
    ask("b");
    await settle();
    expect([log, clock.pending]).toEqual([["a COPS_DOWN", "b COPS_DOWN"], 0]);
  });
});
