/** Configurations for the demo of pools: those of the lab, with communities, one pool between them, and routers that speak RSVP. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseDocument } from "yaml";
import { kilobitsPerSecond } from "../../src/model/units.js";

export const POOL = "voice";
/** Calls that the pool is for at first; one more is refused until it has grown. */
export const CALLS = 5;
/** On the way of the pool, with their interfaces towards the next router. */
export const ROUTERS: Readonly<Record<string, readonly string[]>> = {
  r1: ["core"],
  t: ["r1", "r2"],
  r2: ["core"],
};
/** What a G.711 call takes in the tunnel, kbit/s with RTCP, layer 2; rounded up. */
const STEP = 112;
export const SMALL = kilobitsPerSecond(CALLS * STEP);
export const LARGE = kilobitsPerSecond((CALLS + 1) * STEP);

/** User part, and the agent's ports; the same at caller and callee. */
export const partyOf = (call: number) => ({
  user: `bob${call}`,
  sipPort: 5060 + 2 * call,
  mediaPort: 6000 + 10 * call,
});

const inKbits = (rate: number): string => `${rate / 1000} kbit/s`;

const COMMUNITIES = [
  {
    name: "a",
    prefixes: ["10.1.0.0/24", "fd01::/64"],
    domains: ["a.example"],
    router: "r1.a.example",
    edge: "10.1.0.1",
  },
  {
    name: "b",
    prefixes: ["10.3.0.0/24", "fd03::/64"],
    domains: ["b.example"],
    router: "r2.b.example",
    edge: "10.3.0.1",
  },
];

/** The head room asks for the next call's part as soon as the ceiling allows it. */
const SIZING = {
  floor: inKbits(SMALL),
  ceiling: inKbits(SMALL),
  step: inKbits(LARGE - SMALL),
  headRoom: inKbits(LARGE - SMALL),
  hold: "2 s",
  retry: "1 s",
};

/** Longer than usual: six calls and a flood may find a machine busy. */
const ROUTER_TIMEOUT = "3 s";
const CLEARINGHOUSE_TIMEOUT = "1500 ms";
const DECISION_TIMEOUT = "5 s";

/** What was lost while the lab came up is said again soon. */
const REFRESH = "3 s";

type Edit = readonly [path: readonly string[], value: unknown];

const policy: readonly Edit[] = [
  [["routerTimeout"], ROUTER_TIMEOUT],
  [["clearinghouse", "timeout"], CLEARINGHOUSE_TIMEOUT],
  [["communities"], COMMUNITIES],
  [
    ["pools"],
    [
      {
        name: POOL,
        id: 1,
        from: "a",
        to: "b",
        class: "voice",
        reserve: "rsvp",
        sizing: SIZING,
        carry: "tunnelled",
      },
    ],
  ],
  [["classes"], [{ name: "voice", phb: "EF", outOfProfile: "drop", packetSize: 200 }]],
];
const edge = (address: string): readonly Edit[] => [
  [["rsvp"], { transport: "raw", refresh: REFRESH, address, interfaces: [{ name: "core", room: "2 Mbit/s" }] }],
];
const callees: readonly Edit[] = Array.from({ length: CALLS + 1 }, (_, index) => {
  const { user, sipPort } = partyOf(index + 1);
  return [["sip", "users", user], `sip:10.3.0.10:${sipPort}`];
});

const patient: readonly Edit[] = [[["pdp", "timeout"], DECISION_TIMEOUT]];

const EDITS: Readonly<Record<string, readonly Edit[]>> = {
  pol1: policy,
  pol2: policy,
  r1: edge("10.1.0.1"),
  r2: edge("10.3.0.1"),
  sip1: patient,
  sip2: [...patient, ...callees],
};

/** Has no policy server: it admits what its interfaces have room for. */
const TRANSIT = {
  role: "router",
  name: "t.core.example",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: filled in when the role reads it
  state: "${SLUICE_LAB}/t",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: as above
  control: "${SLUICE_LAB}/run/t.sock",
  kernel: { interfaces: ["r1", "r2"].map((name) => ({ name, rate: "10 Mbit/s", signalling: "256 kbit/s" })) },
  rsvp: {
    transport: "raw",
    refresh: REFRESH,
    interfaces: ["r1", "r2"].map((name) => ({ name, room: "1 Mbit/s" })),
  },
};

/** @param root of this package. @param to - a directory, for `netns-lab.sh up --configs` */
export function writeConfigs(root: string, to: string): void {
  mkdirSync(to, { recursive: true });
  cpSync(join(root, "configs/lab"), to, { recursive: true });
  for (const [role, edits] of Object.entries(EDITS)) {
    const path = join(to, `${role}.yaml`);
    const document = parseDocument(readFileSync(path, "utf8"));
    for (const [at, value] of edits) document.setIn(at, document.createNode(value));
    writeFileSync(path, document.toString({ lineWidth: 0 }));
  }
  // SIP, COPS and OSP pass T, too. JSON is YAML.
  const { signalling } = parse(readFileSync(join(to, "r1.yaml"), "utf8")) as { readonly signalling: unknown };
  writeFileSync(join(to, "t.yaml"), `${JSON.stringify({ ...TRANSIT, signalling }, undefined, 2)}\n`);
}
