/** The table of offers, answers and rooms in the real network: what both routers hold, what both agents are told. */
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import type { QualityView } from "../../src/control/quality-views.js";
import { describeMedia } from "./support/descriptions.js";
import { newCall, type Pair, type Party } from "./support/dialog.js";
import { expectNothingLeft } from "./support/expectations.js";
import { endAtServers, measured, negotiationLab, poolUse, rowsOf, setRoom } from "./support/negotiation-lab.js";
import { ROWS } from "./support/negotiation-rows.js";
import { beyond, type Grant, type Room, talk } from "./support/negotiation-vocabulary.js";
import { causeOf, ended, grantedOf, hangUp, setUp, withoutFigures } from "./support/set-up.js";
import { bothAgents, type SipAgent, takeDown } from "./support/sip-agent.js";
import { header, type SipText } from "./support/sip-message.js";
import type { TestLab } from "./support/test-lab.js";
import { until } from "./support/until.js";

let lab: TestLab;
let [uac, uas]: SipAgent[] = [];
beforeAll(async () => {
  lab = await negotiationLab();
  [uac, uas] = await bothAgents(lab);
  await measured(lab);
}, 300_000);
afterAll(() => takeDown(lab, [uac, uas]));

const DSCP = { EF: 46, CS4: 32, BE: 0 } as const;

const assured = (grants: readonly Grant[]): readonly Grant[] => grants.filter(({ phb }) => phb !== "BE");

const rowsFor = (grants: readonly Grant[], gates: string): readonly string[] =>
  assured(grants)
    .flatMap(({ phb, rates }) => [`${DSCP[phb]} < ${rates[0]}`, `${DSCP[phb]} > ${rates[1]}`])
    .filter((row) => gates.includes(row.split(" ")[1] ?? ""))
    .sort();

/** In bit/s at layer 2, of the larger direction in each pool. */
function useFor(grants: readonly Grant[]): number {
  const pools = (["EF", "CS4"] as const).map((phb) => {
    const own = grants.filter((grant) => grant.phb === phb);
    const sums = [0, 1].map((way) => own.reduce((sum, { rates }) => sum + (rates[way] ?? 0) * 1000 + LINK_OVERHEAD, 0));
    return Math.max(...sums);
  });
  return pools.reduce((sum, used) => sum + used, 0);
}

/** 14 octets for each of 50 packets a second. */
const LINK_OVERHEAD = 14 * 8 * 50;

function headersFor(grants: readonly Grant[], by: string): readonly string[] {
  return grants.flatMap((grant) => {
    if (grant.told === false) return [];
    const { index, phb, result, rates } = grant;
    const name = grant.class === undefined ? "" : `class=${grant.class};`;
    const path = grant.measured === true ? ";measured" : "";
    return [`${index};${name}phb=${phb};result=${result};to-caller=${rates[0]};to-callee=${rates[1]}${path};by=${by}`];
  });
}

/** All that a call takes, whether anything is negotiated or not: the caller hangs up. */
const MESSAGES = {
  caller: ["> INVITE", "< 100 INVITE", "< 200 INVITE", "> ACK", "> BYE", "< 200 BYE"],
  callee: ["< INVITE", "> 200 INVITE", "< ACK", "< BYE", "> 200 BYE"],
};

/** At the callee's side and at the caller's. */
const toldBy = (two: readonly Grant[], one: readonly Grant[]): readonly string[] => [
  ...headersFor(two, "pol2.b.example"),
  ...headersFor(one, "pol1.a.example"),
];

async function expectReserved({ session }: Pair, two: readonly Grant[], one: readonly Grant[], gates = "<>") {
  expect(await rowsOf(lab, 1, session), "rows of R1").toEqual(rowsFor(one, gates));
  expect(await rowsOf(lab, 2, session), "rows of R2").toEqual(rowsFor(two, gates));
  expect([await poolUse(lab, 1), await poolUse(lab, 2)], "what the pools hold").toEqual([useFor(one), useFor(two)]);
}

/** One test's failure is not that of the next: nothing is left of its call. */
async function clear(call: Pair): Promise<void> {
  const over = ended(call, 481).catch(() => undefined);
  await endAtServers(lab, call.callId);
  await over;
}

const USUAL: Required<Room> = { voice: 900, game: 900 };

async function setRooms(rooms: readonly [Room, Room], usual: boolean): Promise<void> {
  for (const [index, room] of rooms.entries()) {
    for (const pool of ["voice", "game"] as const) {
      const kbits = usual ? USUAL[pool] : room[pool];
      if (room[pool] !== undefined && kbits !== undefined) await setRoom(lab, index === 0 ? 1 : 2, pool, kbits);
    }
  }
}

describe("offers, answers and rooms in two access networks", () => {
  test("the table has more than forty rows", () => expect(Object.keys(ROWS).length).toBeGreaterThanOrEqual(40));

  test.each(Object.entries(ROWS))("%s", async (_title, row) => {
    const { offer, answer = offer, rooms = [{}, {}], late = false, family = 4, gates = "<>", becomes } = row;
    const call = newCall(uac!, uas!);
    onTestFailed(() => clear(call));
    await setRooms(rooms, false);
    try {
      const came = await setUp(call, {
        offer: describeMedia("caller", offer, { family }),
        answer: typeof answer === "number" ? answer : describeMedia("callee", answer, { family }),
        late,
      });
      const { final, invite, ack, bye } = came;
      if ("status" in becomes) {
        expect({ status: final.status, warning: header(final, "Warning") ?? "" }).toEqual({
          status: becomes.status,
          warning: expect.stringMatching(becomes.why),
        });
        if (typeof answer !== "number") expect(header(final, "Warning")).toMatch(new RegExp(`^${becomes.warnCode} `));
        expect(bye !== undefined, "a BYE to the callee").toBe(becomes.after === "answer" && typeof answer !== "number");
        if (bye !== undefined) {
          expect(causeOf(bye), "why the callee is told").toMatch(new RegExp(`^SIP;\\s*cause=${becomes.status}`));
          expect(causeOf(bye)).toMatch(becomes.why);
        }
        if (becomes.after === "answer") expect(invite, "the INVITE at the callee").toBeDefined();
      } else {
        expect(final.status).toBe(200);
        const told = toldBy(becomes.two, becomes.one);
        expect(withoutFigures(grantedOf(final)), "what the caller is told").toEqual(told);
        expect([...withoutFigures(grantedOf(ack!))].sort(), "what the callee is told").toEqual([...told].sort());
        await expectReserved(call, becomes.two, becomes.one, gates);
        await hangUp(call.caller, call.callee);
        const messages = { caller: uac!.exchanged(call.callId), callee: uas!.exchanged(call.callId) };
        expect(messages, "what the agents exchange").toEqual(MESSAGES);
      }
      await expectNothingLeft(lab);
    } finally {
      await setRooms(rooms, true);
    }
    expect([...uac!.untaken(call.callId), ...uas!.untaken(call.callId)].map(({ text }) => text)).toEqual([]);
  });
});

/** RFC 3312 §4: what is reserved at each end, as who writes it sees it; both ends have to be. */
function preconditions(local: "none" | "sendrecv", remote: "none" | "sendrecv", more: readonly string[] = []) {
  const desired = ["des:qos mandatory local sendrecv", "des:qos mandatory remote sendrecv"];
  const medium = ["sluice-class:talk", "sluice-need:sendrecv rate=80-32"];
  return [[...medium, `curr:qos local ${local}`, `curr:qos remote ${remote}`, ...desired, ...more]];
}

const provisional = ({ agent, callId }: Party, status: number): Promise<SipText> =>
  agent.take(`${status}`, (message) => message.status === status && header(message, "Call-ID") === callId);

describe("preconditions (RFC 3312)", () => {
  const GRANTS = [[talk("reduced", 50)], [talk("granted", 80)]] as const;
  const told = toldBy(...GRANTS);
  const expectTold = (message: SipText): void =>
    expect([...withoutFigures(grantedOf(message))].sort(), message.text).toEqual([...told].sort());

  test("both routers have reserved, and both agents are told, before anybody is alerted", async () => {
    const call = newCall(uac!, uas!);
    const { caller, callee } = call;
    onTestFailed(() => clear(call));
    await setRoom(lab, 2, "voice", 50);
    try {
      const number = caller.request("INVITE", {
        body: describeMedia("caller", preconditions("none", "none")),
        lines: ["Supported: 100rel", "Require: precondition", "Allow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE"],
      });
      const invite = await callee.takes("INVITE");
      callee.learn(invite);
      const answer = preconditions("none", "none", ["conf:qos remote sendrecv"]);
      callee.reply(invite, 183, describeMedia("callee", answer), ["Require: 100rel, precondition", "RSeq: 1"]);
      const progress = await provisional(caller, 183);
      expectTold(progress);
      await expectReserved(call, ...GRANTS);
      caller.learn(progress);
      const acknowledged = caller.request("PRACK", { lines: [`RAck: 1 ${number} INVITE`] });
      const prack = await callee.takes("PRACK");
      expectTold(prack);
      callee.reply(prack, 200);
      expect((await caller.final("PRACK", acknowledged)).status).toBe(200);

      const ready = { version: 2 };
      const updated = caller.request("UPDATE", {
        body: describeMedia("caller", preconditions("sendrecv", "none"), ready),
        lines: ["Require: precondition"],
      });
      callee.reply(
        await callee.takes("UPDATE"),
        200,
        describeMedia("callee", preconditions("sendrecv", "sendrecv"), ready),
      );
      const confirmed = await caller.final("UPDATE", updated);
      expect(confirmed.status).toBe(200);
      expectTold(confirmed);
      await expectReserved(call, ...GRANTS);

      callee.reply(invite, 180);
      expect(grantedOf(await provisional(caller, 180))).toEqual([]);
      callee.reply(invite, 200);
      const final = await caller.final("INVITE", number);
      expect(final.status).toBe(200);
      caller.acknowledge(number);
      await callee.takes("ACK");
      await expectReserved(call, ...GRANTS);
      await hangUp(caller, callee);
      await expectNothingLeft(lab);
    } finally {
      await setRoom(lab, 2, "voice", USUAL.voice);
    }
  });
});

test("an answer in a 183 that may get lost, and again in the 200: both agents are told with that", async () => {
  const call = newCall(uac!, uas!);
  const { caller, callee } = call;
  onTestFailed(() => clear(call));
  const grants = [talk("granted", 80)];
  const medium = [["sluice-class:talk", "sluice-need:sendrecv rate=80-32"]];
  const number = caller.request("INVITE", { body: describeMedia("caller", medium) });
  const invite = await callee.takes("INVITE");
  callee.learn(invite);
  const answer = describeMedia("callee", medium);
  callee.reply(invite, 183, answer);
  expect(grantedOf(await provisional(caller, 183)), "what may still change").toEqual([]);
  await expectReserved(call, grants, grants);
  callee.reply(invite, 200, answer);
  const final = await caller.final("INVITE", number);
  expect(withoutFigures(grantedOf(final))).toEqual(toldBy(grants, grants));
  caller.learn(final);
  caller.acknowledge(number);
  expect([...grantedOf(await callee.takes("ACK"))].sort()).toEqual([...toldBy(grants, grants)].sort());
  await expectReserved(call, grants, grants);
  await hangUp(caller, callee);
  await expectNothingLeft(lab);
});

/** Comes last: what was lost counts for as long as the window is. */
describe("a path that loses packets", () => {
  const loses = "add table inet lossy; add chain inet lossy probes { type filter hook input priority 0; }";
  const half = "add rule inet lossy probes udp dport 862 numgen random mod 2 == 0 drop";

  beforeAll(async () => {
    await lab.lab.exec("r2", ["nft", `${loses}; ${half}`]);
    await until("loss in the game pool", async () => {
      const views = await lab.view<QualityView>("pol1", "quality");
      return views.some(({ pool, direction, loss = 0 }) => pool === "game" && direction === "up" && loss > 0.06);
    });
  });
  afterAll(() => lab.lab.exec("r2", ["nft", "delete table inet lossy"]));

  test.each([
    ["an agent bears", ["sluice-class:fps", "sluice-need:sendrecv loss=0.01-0.05"]],
    ["a class is for", ["sluice-class:duel"]],
  ])("more than %s: refused, with what is needed and what is measured", async (_title, lines) => {
    const call = newCall(uac!, uas!);
    onTestFailed(() => clear(call));
    const { final, invite } = await setUp(call, {
      offer: describeMedia("caller", [lines]),
      answer: describeMedia("callee", [lines]),
    });
    expect({ status: final.status, warning: header(final, "Warning") }).toEqual({
      status: 580,
      warning: expect.stringMatching(beyond("loss", "5 %")),
    });
    expect(header(final, "Warning")).toMatch(/^399 pol1\.a\.example .* from this network/);
    expect(invite, "the INVITE at the callee").toBeUndefined();
    await expectNothingLeft(lab);
  });

  test("as much as an agent bears: granted", async () => {
    const call = newCall(uac!, uas!);
    onTestFailed(() => clear(call));
    const body = [["sluice-class:fps", "sluice-need:sendrecv loss=0.001-0.9"]];
    const { final } = await setUp(call, {
      offer: describeMedia("caller", body),
      answer: describeMedia("callee", body),
    });
    expect(final.status).toBe(200);
    expect(grantedOf(final).filter((value) => value.includes("by=pol1"))[0]).toMatch(/;result=reduced;.*;loss=0\.\d+;/);
    await hangUp(call.caller, call.callee);
    await expectNothingLeft(lab);
  });
});
