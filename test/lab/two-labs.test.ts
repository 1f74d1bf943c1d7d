/** Labs side by side, and a lab that crashed: neither leaves anything with the other, or with the machine. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectNothingLeft, expectSettled, expectUsage } from "./support/expectations.js";
import { takeSlots } from "./support/slots.js";
import { TestLab } from "./support/test-lab.js";

let release: () => void = () => undefined;
const labs: TestLab[] = [];
beforeAll(async () => {
  release = await takeSlots(2);
  labs.push(...(await Promise.all([TestLab.up({ slots: 0 }), TestLab.up({ slots: 0 })])));
}, 300_000);
afterAll(async () => {
  await Promise.all(labs.map((lab) => lab.down()));
  release();
});

/** Processes of this machine whose environment or command line names the lab. */
function processesOf(prefix: string): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
        const isOurs = command.includes(`${prefix}-`) || environment.includes(`SLUICE_LAB=/run/sluice-lab/${prefix}`);
        return isOurs ? [`${pid}: ${command}`] : [];
      } catch {
        return [];
      }
    });
}

test("two labs carry the same call at the same time; a crashed one is taken away without a trace", async () => {
  const [one, other] = labs;
  if (one === undefined || other === undefined) throw new Error("two labs were meant");
  const calls = await Promise.all(labs.map((lab) => lab.callWithMedia(["--seconds", "1"])));
  const outcomes = await Promise.all(
    labs.map((lab, index) => expectSettled(lab, calls[index] as (typeof calls)[number])),
  );
  expect(await one.usage(outcomes[1]?.session ?? ""), "the other lab's session in the first lab's records").toEqual([]);

  // The first lab crashes in the middle of a call; the second one has a call at that time, too.
  const [crashing, surviving] = await Promise.all(labs.map((lab) => lab.callWithMedia(["--seconds", "3"])));
  if (crashing === undefined || surviving === undefined) throw new Error("two calls were meant");
  const crashed = crashing.outcome.catch(() => undefined);
  for (const pid of await pidsOf(one)) process.kill(pid, "SIGKILL");
  await crashed;
  await one.lab.down();
  const namespaces = readdirSync("/run/netns").filter((name) => name.startsWith(`${one.prefix}-`));
  expect({
    namespaces,
    directory: existsSync(one.lab.directory),
    processes: processesOf(one.prefix),
  }).toEqual({ namespaces: [], directory: false, processes: [] });

  const { session } = await expectSettled(other, surviving);
  await expectNothingLeft(other);
  await expectUsage(other, session);
});

/** Every process in the lab's namespaces. */
async function pidsOf(lab: TestLab): Promise<readonly number[]> {
  const names = readdirSync("/run/netns").filter((name) => name.startsWith(`${lab.prefix}-`));
  const texts = await Promise.all(names.map((name) => lab.processesIn(name)));
  return texts.flat();
}
