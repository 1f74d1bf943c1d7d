/** INVITEs that ring and come to no end by themselves: what bounds them, and what the policy hears (RFC 3261 §16.8, §9.1). */
import { describe, expect, it } from "vitest";
import { responseTo } from "../../../src/sip/message/build.js";
import { ALICE, BOB, Lab, nameOf, SDP } from "../harness.js";

const MINUTE = 60_000;
/** 64 times T1. */
const GIVEN_UP = 32_000;

/** A call that rings. What the policy hears of it is written down. */
async function ringing() {
  const heard: string[] = [];
  const lab = new Lab({
    response: async (_context, response) => {
      heard.push(nameOf(response));
      return { forward: true };
    },
    ended: async (_context, kind, message) => void heard.push(`${kind} ${nameOf(message)}`),
  });
  await lab.alice({ method: "INVITE", body: SDP });
  const invite = lab.toBob("INVITE");
  await lab.bobAnswers(invite, 180);
  await lab.flush();
  return { lab, heard, invite, left: () => [lab.core.liveDialogs, lab.core.liveTransactions] };
}

describe("a call whose caller, or whose proxy, is gone while it rings", () => {
  it("is given up by Timer C: CANCEL to the callee, the policy is told, and nothing is left of a callee who is dead, too", async () => {
    const { lab, heard, left } = await ringing();
    lab.transport.dead.add(ALICE.address);
    await lab.clock.pass(185_000);
    expect((await lab.names()).slice(0, 2)).toEqual(["408>alice", "CANCEL>bob"]);
    expect(heard).toEqual(["180", "timeout 408"]);
    await lab.clock.pass(2 * GIVEN_UP);
    expect([left(), lab.clock.pending, heard.length]).toEqual([[0, 0], 0, 2]);
  });

  it("rings as long as its callee says so each minute (§16.7 step 2), and no longer", async () => {
    const { lab, heard, invite, left } = await ringing();
    lab.transport.dead.add(ALICE.address);
    for (let minute = 0; minute < 24 * 60; minute += 1) {
      await lab.clock.pass(MINUTE);
      await lab.bobAnswers(invite, 180);
    }
    expect(heard).toEqual(["180"]);
    await lab.clock.pass(185_000);
    expect(heard).toEqual(["180", "timeout 408"]);
    await lab.bobAnswers(lab.toBob("CANCEL"), 200);
    await lab.bobAnswers(invite, 487);
    await lab.clock.pass(2 * GIVEN_UP);
    expect(left()).toEqual([0, 0]);
  });

  it("is over when its callee answers, gets no ACK, and hangs up (§13.3.1.4)", async () => {
    const { lab, heard, invite, left } = await ringing();
    lab.transport.dead.add(ALICE.address);
    await lab.bobAnswers(invite, 200, { body: SDP });
    await lab.clock.pass(GIVEN_UP);
    await lab.bob({ method: "BYE", cseq: 1, uri: `sip:agent@${ALICE.address}:${ALICE.port}` });
    await lab.clock.pass(2 * GIVEN_UP);
    expect(heard).toEqual(["180", "200", "bye BYE"]);
    expect(left()).toEqual([0, 0]);
  });
});

describe("a call that its caller cancelled", () => {
  it("is over after 64 times T1 also if the callee rings on: what it says after the CANCEL is no reason to wait (§9.1)", async () => {
    const { lab, heard, invite, left } = await ringing();
    await lab.alice({ method: "CANCEL", branch: "z9hG4bK-INVITE-1-a1" });
    expect(await lab.names()).toEqual(["200>alice", "CANCEL>bob"]);
    lab.transport.inject(responseTo(lab.toBob("CANCEL"), 200).toBuffer(), BOB);
    await lab.clock.pass(GIVEN_UP - 1);
    await lab.bobAnswers(invite, 180);
    expect(await lab.names()).toEqual(["180>alice"]);
    await lab.clock.pass(1);
    expect(await lab.names()).toEqual(["487>alice"]);
    expect(heard).toEqual(["180", "cancel CANCEL"]);
    await lab.clock.pass(2 * GIVEN_UP);
    expect([left(), lab.clock.pending]).toEqual([[0, 0], 0]);
  });
});
