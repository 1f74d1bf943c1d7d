/** Aggregates in UDP (RFC 2205 appendix C), for routers that may open no raw sockets: neighbours are named, nothing is intercepted. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RsvpView } from "../../src/control/views.js";
import type { Edits } from "./support/configs.js";
import { ROOT } from "./support/root.js";
import { TestLab } from "./support/test-lab.js";
import { untilNothing } from "./support/until.js";

const ROUTERS = ["r1", "t", "r2"];
const speaking = (address: string, remote: string, nextHop: string) =>
  [
    [
      ["rsvp"],
      {
        transport: "udp",
        refresh: "1 s",
        address,
        interfaces: [{ name: "core", room: "2 Mbit/s", nextHop }],
        aggregates: [{ remote, phb: "EF", rate: "400 kbit/s" }],
      },
    ],
  ] as const;
const EDITS: Edits = {
  r1: speaking("10.1.0.1", "10.3.0.1", "10.2.1.2"),
  r2: speaking("10.3.0.1", "10.1.0.1", "10.2.2.2"),
};

function transit(): string {
  const raw = readFileSync(join(ROOT, "test/lab/rsvp/t.yaml"), "utf8");
  return raw
    .replace("transport: raw", "transport: udp")
    .replace("{ name: r1, room: 1 Mbit/s }", "{ name: r1, room: 1 Mbit/s, nextHop: 10.2.1.1 }")
    .replace("{ name: r2, room: 1 Mbit/s }", "{ name: r2, room: 1 Mbit/s, nextHop: 10.2.2.1 }")
    .replace(/ {2}keys:[\s\S]*$/, "");
}

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.up({
    edits: [EDITS],
    topology: ["--transit"],
    files: { "t.yaml": transit() },
    captures: false,
  });
}, 300_000);
afterAll(() => lab?.down());

async function granted(router: string): Promise<readonly string[]> {
  const [view] = (await lab.lab.ask(router, "/v1/show/rsvp")) as unknown as readonly RsvpView[];
  const sessions = (view?.sessions ?? []).map(({ role, sender, granted: rate }) => `${role} ${sender} ${rate}`);
  return [`${view?.transport}`, ...sessions.sort()];
}

const [TO_R2, TO_R1] = ["10.1.0.1 400000", "10.3.0.1 400000"];
const AGREED: Readonly<Record<string, readonly string[]>> = {
  r1: ["udp", `aggregator ${TO_R2}`, `deaggregator ${TO_R1}`],
  t: ["udp", `transit ${TO_R2}`, `transit ${TO_R1}`],
  r2: ["udp", `aggregator ${TO_R1}`, `deaggregator ${TO_R2}`],
};

test("are granted on the whole way, through a router that admits them", async () => {
  await untilNothing("all routers to agree", async () => {
    const found = await Promise.all(ROUTERS.map(async (router) => [router, await granted(router)] as const));
    return found.flatMap(([router, have]) => (String(have) === String(AGREED[router]) ? [] : [`${router}: ${have}`]));
  });
  const classes = await lab.lab.exec("t", ["tc", "class", "show", "dev", "r2"]);
  expect(classes).toMatch(/^class htb 1:[4-7][0-9a-f]{3} .* rate /m);
});
