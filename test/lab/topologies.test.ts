/** Labs with a transit router, and with four sites: everybody reaches everybody, calls are assured, nothing is left. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { controlRequest } from "../../src/control/client.js";
import type { PoolView, UsageView } from "../../src/control/views.js";
import { sessionElements } from "../../src/lab/kernel-left.js";
import { type Lab, openLab } from "../../src/lab/lab.js";
import { ROOT } from "./support/root.js";
import { takeSlots } from "./support/slots.js";
import { untilNothing } from "./support/until.js";

const transit = openLab({ prefix: `t${process.pid}transit`, root: ROOT });
const star = openLab({ prefix: `t${process.pid}star`, root: ROOT });
let release: () => void = () => undefined;
beforeAll(async () => {
  release = await takeSlots(2);
  await Promise.all([transit.up(["--transit", "--links", "20Mbit/s"]), star.up(["--sites", "4"])]);
}, 300_000);
afterAll(async () => {
  await Promise.all([transit.down(), star.down()]);
  release();
});

const SITES = [
  { number: 1, terminal: "uac", v4: "10.1.0.10", v6: "fd01::10" },
  { number: 2, terminal: "uas", v4: "10.3.0.10", v6: "fd03::10" },
  { number: 3, terminal: "ua3", v4: "10.5.0.10", v6: "fd05::10" },
  { number: 4, terminal: "ua4", v4: "10.7.0.10", v6: "fd07::10" },
] as const;

const script = (lab: Lab, args: readonly string[]) =>
  execa("bash", [join(ROOT, "scripts/netns-lab.sh"), "--prefix", lab.prefix, ...args], { reject: false });

async function show<T>(lab: Lab, role: string, topic: string): Promise<readonly T[]> {
  return (await controlRequest(join(lab.directory, "run", `${role}.sock`), `/v1/show/${topic}`)) as readonly T[];
}

const elementsIn = async (lab: Lab, router: string): Promise<number> =>
  sessionElements(await lab.exec(router, ["nft", "-j", "list", "table", "inet", "sluice"]));

/** The addresses, of both families, that do not answer a host. */
async function unreachable(lab: Lab, host: string, addresses: readonly string[]): Promise<readonly string[]> {
  const silent = await Promise.all(
    addresses.map(async (address) => {
      const ping = ["netns", "exec", `${lab.prefix}-${host}`, "ping", "-c", "1", "-W", "2", "-q", address];
      return (await execa("ip", ping, { reject: false })).exitCode === 0 ? [] : [`${host} > ${address}`];
    }),
  );
  return silent.flat();
}

/** Both sides have told the usage; no router and no pool of these sites holds the session any more. */
async function expectSettled(lab: Lab, session: string, numbers: readonly number[]): Promise<void> {
  await untilNothing(`session ${session}`, async () => {
    const records = (await show<UsageView>(lab, "ch", "usage")).filter((record) => record.session === session);
    const sides = records.filter(({ up }) => (up?.inProfile.octets ?? 0) > 0).map(({ side }) => side);
    const left = await Promise.all(
      numbers.map(async (number) => {
        const elements = await elementsIn(lab, `r${number}`);
        const pools = await show<PoolView>(lab, `pol${number}`, "pools");
        return elements === 0 && pools.every(({ used }) => used === 0) ? [] : [`site ${number} holds something`];
      }),
    );
    return [...(String(sides.sort()) === "destination,source" ? [] : [`usage of ${sides}`]), ...left.flat()];
  });
}

async function expectGone(lab: Lab): Promise<void> {
  await lab.down();
  const namespaces = existsSync("/run/netns") ? readdirSync("/run/netns") : [];
  expect({
    namespaces: namespaces.filter((name) => name.startsWith(`${lab.prefix}-`)),
    directory: existsSync(lab.directory),
  }).toEqual({ namespaces: [], directory: false });
}

describe("a transit router between two sites", () => {
  const lab = transit;

  test("forwards, holds its links to the rate, and runs no role without a configuration", async () => {
    const path = await lab.exec("r1", ["ip", "route", "get", SITES[1].v4]);
    expect(path).toContain("via 10.2.1.2 dev core");
    expect(await lab.exec("t", ["tc", "qdisc", "show", "dev", "r2"])).toMatch(/^qdisc tbf .* rate 20Mbit /);
    expect(await lab.exec("r1", ["tc", "class", "show", "dev", "core"])).toMatch(/class htb 1:1 root rate 20Mbit /);
    const status = await script(lab, ["status"]);
    expect(status.exitCode, status.stdout).toBe(0);
    expect(status.stdout).toMatch(new RegExp(`^${lab.prefix}-t +up$`, "m"));
    expect(status.stdout).not.toMatch(/^t \(router\)/m);
    const start = await script(lab, ["start", "t"]);
    expect([start.exitCode, start.stderr]).toEqual([2, expect.stringMatching(/t\.yaml is missing; --configs DIR/)]);
  });

  test("a call through it is assured at both ends, and settled", async () => {
    const call = await lab.call(["--seconds", "1"]);
    expect(call).toMatchObject({ ok: true, status: 200 });
    await expectSettled(lab, call.session, [1, 2]);
  });

  test("a lab whose state is lost is taken away all the same", async () => {
    await execa("rm", ["-r", lab.directory]);
    await expectGone(lab);
  });
});

describe("four sites", () => {
  const lab = star;

  test("every terminal reaches every other, the clearinghouse and every edge router, over IPv4 and IPv6", async () => {
    const shared = ["10.4.0.7", "fd04::7"];
    const routers = SITES.flatMap(({ number }) => [`10.2.${number}.1`, `fd02:0:0:${number}::1`]);
    const addresses = [...SITES.flatMap(({ v4, v6 }) => [v4, v6]), ...shared, ...routers];
    const silent = await Promise.all(SITES.map(({ terminal }) => unreachable(lab, terminal, addresses)));
    expect(silent.flat()).toEqual([]);
  });

  test("status lists the namespaces of four sites and thirteen roles", async () => {
    const { exitCode, stdout } = await script(lab, ["status"]);
    expect(exitCode, stdout).toBe(0);
    expect(stdout.match(/ up$/gm)).toHaveLength(4 * 6 + 2);
    expect(stdout.match(/ running {2}pid \d+$/gm)).toHaveLength(4 * 3 + 1);
  });

  test("calls from a to c and from d to b at once, each in the pools of its own two sites", async () => {
    const calls = Promise.all([
      lab.call(["--callee-site", "c", "--seconds", "1"]),
      lab.call(["--caller-site", "d", "--callee-site", "b", "--seconds", "1"]),
    ]);
    await untilNothing("the calls to be in every router", async () => {
      const counts = await Promise.all(SITES.map(({ number }) => elementsIn(lab, `r${number}`)));
      return counts.every((count) => count > 0) ? [] : [`elements in r1 to r4: ${counts}`];
    });
    const [toC, toB] = await calls;
    expect([toC, toB]).toMatchObject([
      { ok: true, status: 200 },
      { ok: true, status: 200 },
    ]);
    await Promise.all([expectSettled(lab, toC.session, [1, 3]), expectSettled(lab, toB.session, [2, 4])]);
  });

  test("refuses a call to a site that it does not have, and one within a site", async () => {
    await expect(lab.call(["--callee-site", "e"])).rejects.toThrow(/no site 'e'.*a b c d/);
    await expect(lab.call(["--callee-site", "a"])).rejects.toThrow(/sites of their own/);
  });

  test("leaves nothing behind", () => expectGone(lab));
});
