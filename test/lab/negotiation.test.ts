/** The table of offers, answers and rooms in the real network: what both routers hold, what both agents are told. */
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import { describeMedia } from "./support/descriptions.js";
import { newCall } from "./support/dialog.js";
import { expectNothingLeft } from "./support/expectations.js";
import { endAtServers, measured, negotiationLab, poolUse, rowsOf, setRoom } from "./support/negotiation-lab.js";
import { type Grant, ROWS, type Room } from "./support/negotiation-rows.js";
import { causeOf, grantedOf, hangUp, setUp, withoutFigures } from "./support/set-up.js";
import { SipAgent } from "./support/sip-agent.js";
import { header } from "./support/sip-message.js";
import type { TestLab } from "./support/test-lab.js";

let lab: TestLab;
let [uac, uas]: SipAgent[] = [];
beforeAll(async () => {
  lab = await negotiationLab();
  [uac, uas] = await Promise.all([SipAgent.at(lab, "uac"), SipAgent.at(lab, "uas")]);
  await measured(lab);
}, 300_000);
afterAll(async () => {
  await Promise.all([uac?.close(), uas?.close()]);
  await lab?.down();
});

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
    // One row's failure is not that of the next.
    onTestFailed(() => endAtServers(lab, call.callId));
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
        expect(bye !== undefined, "a BYE to the callee").toBe(becomes.after === "answer" && typeof answer !== "number");
        if (bye !== undefined) {
          expect(causeOf(bye), "why the callee is told").toMatch(new RegExp(`^SIP;\\s*cause=${becomes.status}`));
          expect(causeOf(bye)).toMatch(becomes.why);
        }
        if (becomes.after === "answer") expect(invite, "the INVITE at the callee").toBeDefined();
      } else {
        expect(final.status).toBe(200);
        const told = [...headersFor(becomes.two, "pol2.b.example"), ...headersFor(becomes.one, "pol1.a.example")];
        expect(withoutFigures(grantedOf(final)), "what the caller is told").toEqual(told);
        expect([...withoutFigures(grantedOf(ack!))].sort(), "what the callee is told").toEqual([...told].sort());
        expect(await rowsOf(lab, 1, call.session), "rows of R1").toEqual(rowsFor(becomes.one, gates));
        expect(await rowsOf(lab, 2, call.session), "rows of R2").toEqual(rowsFor(becomes.two, gates));
        expect([await poolUse(lab, 1), await poolUse(lab, 2)], "what the pools hold").toEqual([
          useFor(becomes.one),
          useFor(becomes.two),
        ]);
        await hangUp(call.caller, call.callee);
      }
      await expectNothingLeft(lab);
    } finally {
      await setRooms(rooms, true);
    }
    expect([...uac!.untaken(call.callId), ...uas!.untaken(call.callId)].map(({ text }) => text)).toEqual([]);
  });
});
