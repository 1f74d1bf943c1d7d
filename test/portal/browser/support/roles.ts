/** Roles of a small network, answering at real control sockets: something of everything that the pages show. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PortalOptions } from "../../../../src/portal/portal.js";
import { RoleClient } from "../../../../src/portal/roles/role-client.js";
import { startRole } from "../../support.js";

const NOW = Date.now();
const SESSION = {
  session: "0123456789abcdef",
  callId: "call-1",
  caller: "alice@a.example",
  callee: "carol@b.example",
  state: "reserved",
  treatment: "assured",
  rate: 160_000,
  since: NOW - 60_000,
};
const REFUSED = { ...SESSION, session: "fedcba9876543210", callId: "call-2", state: "refused" };
const REFUSAL = {
  admitted: false,
  reason: "noRoom",
  text: "pool games has 40 kbit/s free, 160 are needed",
  pool: "games",
};

const health = (role: string, problems: readonly string[] = []) => ({
  role,
  name: role,
  version: "1",
  since: 1,
  status: problems.length === 0 ? "ok" : "degraded",
  problems,
  warnings: [],
});

const counter = (packets: number) => ({ packets, octets: packets * 100 });
const event = (at: number, message: string, action: string, from: string, to: string) => ({
  at: NOW + at,
  session: SESSION.session,
  protocol: message.startsWith("REQ") ? "COPS" : "SIP",
  message,
  action,
  from,
  to,
});

const PDP_ROUTES = {
  "/v1/health": async () => health("pdp"),
  "/v1/show/sessions": async () => [SESSION, REFUSED],
  "/v1/show/pools": async () => [
    { name: "games", id: 1, rate: 1_000_000, used: 160_000, free: 840_000, sessions: 1 },
    { name: "uplink", id: 0, rate: 10_000_000, used: 160_000, free: 9_840_000, sessions: 1 },
  ],
  "/v1/show/quality": async () => [
    { path: "b.example", dscp: 46, toCaller: { latency: 2.25, jitter: 0.4, loss: 0.001 }, samples: 40 },
  ],
  "/v1/series": async () => ({
    pool: "games",
    step: 1000,
    kept: 600_000,
    points: [1, 2, 3].map((ago) => ({
      at: NOW - 60_000 + ago * 1000,
      used: { min: 0, mean: 80_000, max: 160_000 },
      reserved: 1_000_000,
      refused: 0,
      samples: 4,
    })),
  }),
  "/v1/explain": async ({ session }: Readonly<Record<string, string>>) => ({
    session,
    outcome: session === REFUSED.session ? "refused" : "reserved",
    steps: [{ at: NOW, what: "rule", detail: "games may go to b.example" }],
    ...(session === REFUSED.session ? { refusal: REFUSAL } : {}),
  }),
  "/v1/events": async () => ({
    session: SESSION.session,
    events: [event(2, "REQ AAA", "received", "10.0.0.5:4000", "10.0.0.6:3288")],
  }),
  "/v1/show/records": async ({ before }: Readonly<Record<string, string>>) => ({
    records:
      before === undefined
        ? [
            {
              session: SESSION.session,
              at: NOW - 600_000,
              user: "alice@a.example",
              peer: "carol@b.example",
              class: "game-fps",
              rate: 160_000,
              seconds: 125,
              octetsIn: 2_500_000,
              octetsOut: 2_400_000,
              outOfProfile: 1200,
              price: { amount: "0.12", currency: "EUR" },
              shares: [{ provider: "b.example", amount: "0.05" }],
            },
          ]
        : [],
  }),
};

const PROXY_ROUTES = {
  "/v1/health": async () => health("proxy", ["pol1 does not answer."]),
  "/v1/events": async () => ({
    session: SESSION.session,
    events: [
      event(1, "INVITE", "received", "10.0.0.10:5060", "10.0.0.5:5060"),
      event(1.5, "REQ AAA", "sent", "10.0.0.5:4000", "10.0.0.6:3288"),
      event(9, "200", "sent", "10.0.0.5:5060", "10.0.0.10:5060"),
    ],
  }),
};

const ROUTER_ROUTES = {
  "/v1/health": async () => health("router"),
  "/v1/show/kernel": async () => ({
    structure: true,
    flows: 2,
    classes: [
      { interface: "wan", kind: "pool", pool: "games", rate: 1_000_000, sent: counter(900), dropped: 3, backlog: 0 },
      { interface: "wan", kind: "default", rate: 9_000_000, sent: counter(12_000), dropped: 0, backlog: 1500 },
    ],
  }),
};

export interface Roles {
  readonly options: Partial<PortalOptions>;
  /** What the policy server was told to do. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

/** @param sessions - what the policy server says of sessions that the test makes */
export async function startRoles(sessions: () => readonly object[] = () => []): Promise<Roles> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-page-roles-"));
  const routes = { ...PDP_ROUTES, "/v1/show/sessions": async () => [SESSION, REFUSED, ...sessions()] };
  const pdp = await startRole(join(directory, "pdp.sock"), routes, { "/v1/sessions/end": async () => ({}) });
  const proxy = await startRole(join(directory, "proxy.sock"), PROXY_ROUTES);
  const router = await startRole(join(directory, "router.sock"), ROUTER_ROUTES);
  const client = (path: string) => new RoleClient(path);
  return {
    options: {
      pdp: client(pdp.path),
      proxy: client(proxy.path),
      classes: [
        { name: "game-fps", label: "Fast game", latency: 30, jitter: 10, loss: 0.004 },
        { name: "conversational", label: "Call", latency: 100, jitter: 20, loss: 0.01 },
      ],
      watch: [
        { host: "pol1", role: client(pdp.path) },
        { host: "sip1", role: client(proxy.path) },
        { host: "r1", role: client(router.path) },
        { host: "gone", role: client(join(directory, "gone.sock")) },
      ],
    },
    asked: pdp.asked,
    close: async () => {
      await Promise.all([pdp.close(), proxy.close(), router.close()]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
