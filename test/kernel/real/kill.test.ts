/**
 * kill -9 of the router while it installs, removes and resizes: whatever it was doing, its successor makes the kernel what is
 * wanted, nothing is left over and no count goes backwards. The built product is killed (dist/), `npm run soak -- kill` does it 200 times.
 */
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLinuxKernel } from "../../../src/kernel/linux.js";
import { sameRule } from "../../../src/kernel/plan.js";
import type { DesiredState, FlowId, FlowRule, KernelPort, PoolClass, PoolId } from "../../../src/kernel/port.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { kilobitsPerSecond, octets } from "../../../src/model/units.js";
import type { FlowCounters } from "../../../src/model/usage.js";
import { desired, flow, flow6, link, pool } from "../fixtures.js";
import { ChurnRouter, type Order } from "./churn/router.js";
import { inOwnNamespace } from "./namespace.js";
import { A, B, buildPath, flood } from "./path.js";

const KILLS = Number(process.env.SLUICE_KILLS ?? 8);
const SEED = Number(process.env.SLUICE_SEED ?? Date.now() % 1_000_000);
const TABLE = "sluice_test";
/** Far more than it takes. */
const LIMIT_MS = 50_000 + KILLS * 5000;
const STEADY: FlowId = 1;
const STEADY_PORT = 7001;
const CHANGING_PORT = 7002;

/** Park and Miller: a seed that a failure names brings the same orders again. */
function randomFrom(seed: number): (below: number) => number {
  let state = (seed % 2_147_483_646) + 1;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

/** Any source port: the sender's is its own business. */
const metered = (id: FlowId, port: number): FlowRule =>
  flow(id, {
    key: { protocol: "udp", source: { address: A.v4, port: undefined }, destination: { address: B.v4, port } },
    rate: kilobitsPerSecond(10_000),
  });

const total = ({ inProfile, outOfProfile }: FlowCounters): number => inProfile.packets + outOfProfile.packets;

/** What is wanted, and what is ordered to get there. */
class Policy {
  readonly flows = new Map<FlowId, FlowRule>([[STEADY, metered(STEADY, STEADY_PORT)]]);
  readonly pools = new Map<PoolId, PoolClass>([1, 2, 3].map((id) => [id, pool(id)]));
  /** Flows that met traffic and went. */
  readonly gone: FlowId[] = [];
  readonly #random: (below: number) => number;
  #changing: FlowId | undefined;
  #nextId = 100;

  constructor(random: (below: number) => number) {
    this.#random = random;
  }

  state(): DesiredState {
    const { flows, pools } = this;
    const interfaces = [link("to-a", 100_000), link("to-b", 100_000)];
    return { ...desired([], { interfaces, pools: [...pools.values()] }), flows };
  }

  everything(): Order {
    return { kind: "replace", flows: new Map(this.flows), pools: new Map(this.pools) };
  }

  next(): Order {
    const touched = new Map<FlowId, FlowRule | undefined>();
    const change = this.#random(10);
    if (change < 4) for (let n = this.#random(4); n >= 0; n -= 1) this.#install(touched);
    else if (change < 7) for (let n = this.#random(4); n >= 0; n -= 1) this.#remove(touched);
    else if (change < 8) this.#modify(touched);
    else if (change < 9) this.#replaceChanging(touched);
    else this.#resize();
    for (const [id, rule] of touched) {
      if (rule === undefined) this.flows.delete(id);
      else this.flows.set(id, rule);
    }
    return { kind: "update", flows: touched, pools: new Map(this.pools) };
  }

  #install(touched: Map<FlowId, FlowRule | undefined>): void {
    const id = this.#nextId++;
    touched.set(id, (id % 2 === 0 ? flow : flow6)(id, { pool: 1 + this.#random(3) }));
  }

  #ordinary(): FlowId | undefined {
    const ids = [...this.flows.keys()].filter((id) => id !== STEADY && id !== this.#changing);
    return ids[this.#random(Math.max(1, ids.length))];
  }

  #remove(touched: Map<FlowId, FlowRule | undefined>): void {
    const id = this.#ordinary();
    if (id !== undefined) touched.set(id, undefined);
  }

  #modify(touched: Map<FlowId, FlowRule | undefined>): void {
    const id = this.#ordinary();
    const rule = id === undefined ? undefined : this.flows.get(id);
    if (id !== undefined && rule !== undefined)
      touched.set(id, { ...rule, rate: kilobitsPerSecond(8 + this.#random(500)), burst: octets(this.#random(5000)) });
  }

  /** The flow that meets traffic and does not stay: its key passes to the next. */
  #replaceChanging(touched: Map<FlowId, FlowRule | undefined>): void {
    if (this.#changing !== undefined) {
      touched.set(this.#changing, undefined);
      this.gone.push(this.#changing);
    }
    this.#changing = this.#nextId++;
    touched.set(this.#changing, metered(this.#changing, CHANGING_PORT));
  }

  #resize(): void {
    const id = 1 + this.#random(3);
    this.pools.set(id, pool(id, 100 + this.#random(3000)));
  }
}

inOwnNamespace(
  import.meta.url,
  () => {
    let directory: string;
    let observer: KernelPort;
    const stops: (() => Promise<void>)[] = [];

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), "sluice-churn-"));
      await buildPath();
      observer = await openLinuxKernel({ table: TABLE, log: SILENT_LOGGER, maxFlows: 4096 });
      stops.push(flood(STEADY_PORT, 300), flood(CHANGING_PORT, 300));
    });
    afterAll(async () => {
      for (const stop of stops) await stop();
      await observer.cleanup();
      await observer.close();
      rmSync(directory, { recursive: true });
    });

    describe("killed under churn", () => {
      it(`${KILLS} times, seed ${SEED}: kernel equals intent, no leak, no count goes backwards`, {
        timeout: LIMIT_MS,
      }, async () => {
        const random = randomFrom(SEED);
        const policy = new Policy(random);
        const journal = join(directory, "finals");
        const seen = new Map<FlowId, number>();
        let carriedOut = 0;
        let unanswered = 0;

        for (let round = 0; round <= KILLS; round += 1) {
          const router = new ChurnRouter(TABLE, journal, policy.state());
          expect(await router.started(), router.stderr).toEqual({});
          expect(await router.order(policy.everything()), router.stderr).toEqual({});
          await expectIntent(policy, round);
          await expectForward(seen, journal, policy.gone, round);
          if (round === KILLS) {
            await router.kill();
            break;
          }
          const orders: Promise<unknown>[] = [];
          const until = performance.now() + 20 + random(250);
          while (performance.now() < until) {
            orders.push(
              router.order(policy.next()).then((outcome) => {
                if (outcome === undefined) unanswered += 1;
                else carriedOut += 1;
                expect(outcome?.error).toBeUndefined();
              }),
            );
            if (random(3) === 0) await sleep(random(8));
          }
          await router.kill();
          await Promise.all(orders);
        }
        // Orders were under way when it was killed, and others had been carried out: else this shows nothing.
        expect(Math.min(carriedOut, unanswered)).toBeGreaterThan(KILLS);
        expect(seen.get(STEADY)).toBeGreaterThan(100);
        expect(policy.gone.length).toBeGreaterThan(0);
        await expectNoProcess();
      });
    });

    async function expectIntent(policy: Policy, round: number): Promise<void> {
      const observed = await observer.read();
      const state = policy.state();
      expect(observer.plan(state, observed), `round ${round}, seed ${SEED}`).toEqual([]);
      expect(observed.structure).toBe(true);
      expect([...observed.flows.keys()].sort()).toEqual([...state.flows.keys()].sort());
      for (const [id, rule] of state.flows) {
        const found = observed.flows.get(id);
        expect(found !== undefined && sameRule(found.rule, rule), `flow ${id}`).toBe(true);
      }
    }

    /** Live counts, and the final ones in the journal, are at least what was seen before. */
    async function expectForward(
      seen: Map<FlowId, number>,
      journal: string,
      gone: readonly FlowId[],
      round: number,
    ): Promise<void> {
      const live = await observer.counters();
      for (const [id, counters] of live) {
        expect(total(counters), `flow ${id}, round ${round}, seed ${SEED}`).toBeGreaterThanOrEqual(seen.get(id) ?? 0);
        seen.set(id, total(counters));
      }
      const finals = readFinals(journal);
      for (const id of gone) {
        if (!seen.has(id)) continue;
        const final = finals.get(id);
        expect(final, `final count of flow ${id}, round ${round}, seed ${SEED}`).toBeDefined();
        expect(final ?? 0).toBeGreaterThanOrEqual(seen.get(id) ?? 0);
      }
    }

    /** The agents of the killed routers went with them. */
    async function expectNoProcess(): Promise<void> {
      const own = readlinkSync("/proc/self/ns/net");
      const left = (): readonly string[] =>
        readdirSync("/proc").filter((pid) => {
          if (!/^\d+$/.test(pid)) return false;
          try {
            const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
            const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
            return readlinkSync(`/proc/${pid}/ns/net`) === own && parent === "1" && command.includes("agent-main");
          } catch {
            return false;
          }
        });
      await expect.poll(left, { timeout: 5000 }).toEqual([]);
    }
  },
  60 + KILLS * 5,
);

/** The latest word about each flow. */
function readFinals(path: string): ReadonlyMap<FlowId, number> {
  const finals = new Map<FlowId, number>();
  let text = "";
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return finals;
  }
  for (const line of text.split("\n")) {
    // A line that the kill cut off.
    if (!line.endsWith("]")) continue;
    try {
      for (const [id, counters] of JSON.parse(line) as [FlowId, FlowCounters][]) finals.set(id, total(counters));
    } catch {}
  }
  return finals;
}
