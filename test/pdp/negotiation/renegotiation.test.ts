import { afterEach, describe, expect, it } from "vitest";
import { millis } from "../../../src/model/units.js";
import { audio, CALLEE, CALLER, SESSION, Side, sdp, setUp } from "./two-servers.js";

const CLASS = "sluice-class:talk";
const need = (range: string) => `sluice-need:sendrecv rate=${range}`;
const offer = (...lines: readonly string[]) => sdp(CALLER, audio(0, ...lines));
const answer = (...lines: readonly string[]) => sdp(CALLEE, audio(0, ...lines));
const told = (result: string, kbits: number) =>
  `0;class=talk;phb=EF;result=${result};to-caller=${kbits};to-callee=${kbits}`;

const open: Side[] = [];
afterEach(() => {
  for (const side of open.splice(0)) side.close();
});
function sides(voiceOne = 1000, voiceTwo = 1000): readonly [Side, Side] {
  const both = [new Side("originating", { voice: voiceOne }), new Side("terminating", { voice: voiceTwo })] as const;
  open.push(...both);
  return both;
}

async function established(voiceOne?: number, voiceTwo?: number): Promise<readonly [Side, Side]> {
  const both = sides(voiceOne, voiceTwo);
  const lines = [CLASS, need("80-40")];
  expect(await setUp(both[0], both[1], { offer: offer(...lines), answer: answer(...lines) })).not.toHaveProperty(
    "refused",
  );
  return both;
}

describe("other needs in mid-session", () => {
  it("take effect with their answer, by new flows, and are told anew", async () => {
    const [caller] = await established();
    expect((await caller.reoffer(offer(CLASS, need("200-100")))).admitted).toBe(true);
    expect(caller.granted).toEqual([told("granted", 80)]);
    expect((await caller.answer(answer(CLASS, need("200-100")))).admitted).toBe(true);
    expect(caller.granted).toEqual([told("granted", 200)]);
    expect(caller.record).toMatchObject({ flows: [{}, {}], past: [{}, {}], reoffer: undefined });
  });

  it("are reduced to what there is, beside what the session holds", async () => {
    const [caller] = await established(150);
    await caller.reoffer(offer(CLASS, need("200-100")));
    expect((await caller.answer(answer(CLASS, need("200-100")))).admitted).toBe(true);
    expect(caller.granted).toEqual([told("reduced", 150)]);
  });

  it("leave everything as it was when the offer is refused", async () => {
    const [caller] = await established(150);
    const before = caller.record;
    expect(await caller.reoffer(offer(CLASS, need("300-200")))).toMatchObject({ reason: "rateUnavailable" });
    const { steps, ...after } = caller.record;
    expect({ ...after, steps: steps.slice(0, -1) }).toEqual(before);
    expect(steps.at(-1)?.what).toBe("reoffer refused");
    expect(caller.router.changes).toHaveLength(1);
  });

  it("leave everything as it was when their answer is refused, and the session does not end as a refused one", async () => {
    const [caller] = await established(150);
    const { flows, needs, grants } = caller.record;
    await caller.reoffer(offer(CLASS, need("200-100")));
    expect(await caller.answer(answer(CLASS, need("200-160")))).toMatchObject({ reason: "rateUnavailable" });
    expect(caller.record).toMatchObject({ flows, needs, grants, reoffer: undefined, refusal: undefined });
    expect(caller.ledger.held(SESSION)).toEqual(needs);
    await caller.service.release(SESSION, "bye");
    expect([caller.settled[0]?.cause, caller.isIdle]).toEqual(["bye", true]);
  });

  it("leave everything as it was when the path does not keep them any more", async () => {
    const [caller] = await established();
    caller.paths.set("voice", { latency: millis(500), jitter: millis(1), loss: 0 });
    expect(await caller.reoffer(offer(CLASS, need("80-40")))).toMatchObject({ reason: "qualityUnavailable" });
    expect(caller.granted).toEqual([told("granted", 80)]);
  });

  it("leave everything as it was when the router cannot take them", async () => {
    const [caller] = await established();
    const { flows, needs, grants } = caller.record;
    await caller.reoffer(offer(CLASS, need("200-100")));
    caller.router.failNext = { admitted: false, reason: "routerFailed", text: "ENOSPC" };
    expect(await caller.answer(answer(CLASS, need("200-100")))).toMatchObject({ reason: "routerFailed" });
    expect(caller.record).toMatchObject({ flows, needs, grants });
    expect(caller.ledger.held(SESSION)).toEqual(needs);
  });

  it("may name another class, where a rule has it, and not where none has", async () => {
    const [caller] = await established();
    expect(await caller.reoffer(offer("sluice-class:chess"))).toMatchObject({ reason: "notAuthorised" });
    expect((await caller.reoffer(offer("sluice-class:fps"))).admitted).toBe(true);
    await caller.answer(answer("sluice-class:fps"));
    expect(caller.granted).toEqual(["0;class=fps;phb=VA;result=granted;to-caller=80;to-callee=80"]);
    expect(caller.record).toMatchObject({ rule: "games", class: "game" });
    expect(caller.ledger.held(SESSION).map(({ pool }) => pool)).toEqual(["game"]);
    expect(caller.router.changes.at(-1)).toMatchObject({
      remove: [{ class: "voice" }, {}],
      install: [{ class: "game", pool: "game" }, {}],
    });
  });

  it("may give the guarantee up", async () => {
    const [caller] = await established();
    await caller.reoffer(offer("sluice-class:film"));
    expect((await caller.answer(answer("sluice-class:film"))).admitted).toBe(true);
    expect(caller.granted).toEqual(["0;class=film;phb=BE;result=bestEffort;to-caller=0;to-callee=0"]);
    expect(caller.isIdle).toBe(true);
    await caller.service.release(SESSION, "bye");
    expect(caller.settled[0]?.past.every(({ final }) => final !== undefined)).toBe(true);
  });

  it("keep what they hold on hold, and get it back without asking anybody", async () => {
    const [caller] = await established(80);
    const held = caller.ledger.held(SESSION);
    await caller.reoffer(offer(CLASS, need("80-40"), "sendonly"));
    await caller.answer(answer(CLASS, need("80-40"), "inactive"));
    expect([caller.router.installed.size, caller.ledger.held(SESSION)]).toEqual([0, held]);
    expect(caller.granted).toEqual([told("granted", 80)]);
    await caller.reoffer(offer(CLASS, need("80-40")));
    await caller.answer(answer(CLASS, need("80-40")));
    expect([caller.router.installed.size, caller.ledger.held(SESSION)]).toEqual([2, held]);
  });

  it("release a medium with port 0, and add one again", async () => {
    const [caller] = await established(170);
    const both = (address: string, ...second: readonly string[]) => sdp(address, audio(0, CLASS), second);
    const added = audio(1, CLASS, need("60-20"));
    await caller.reoffer(both(CALLER, ...added));
    await caller.answer(both(CALLEE, ...added));
    expect(caller.granted).toEqual([told("granted", 80), told("granted", 60).replace("0;", "1;")]);
    const gone = added.map((line) => line.replace(/^m=audio \d+/, "m=audio 0"));
    await caller.reoffer(both(CALLER, ...gone));
    await caller.answer(both(CALLEE, ...gone));
    expect(caller.granted).toEqual([told("granted", 80)]);
    expect([caller.router.installed.size, caller.ledger.held(SESSION)]).toEqual([
      2,
      [{ pool: "voice", up: 85_600, down: 85_600 }],
    ]);
  });
});

describe("a session that is set up", () => {
  it("reserves at 180 for what the offer wants, and holds what it has when the 200 brings the same", async () => {
    const [caller] = sides(60);
    const lines = [CLASS, need("80-40")];
    await caller.invite(offer(...lines));
    expect((await caller.answer("", "SIP/2.0 180 Ringing")).admitted).toBe(true);
    expect(caller.ledger.held(SESSION)).toEqual([{ pool: "voice", up: 65_600, down: 65_600 }]);
    await caller.answer(answer(...lines));
    expect(caller.granted).toEqual([told("reduced", 60)]);
  });

  it("is undone where the 200 is refused after the 180 was not, and can be explained", async () => {
    const [caller] = sides(60);
    await caller.invite(offer(CLASS, need("80-40")));
    await caller.answer("", "SIP/2.0 180 Ringing");
    expect(await caller.answer(answer(CLASS, need("80-10")))).toMatchObject({ reason: "mediaUnacceptable" });
    expect(caller.record.refusal?.reason).toBe("mediaUnacceptable");
    await caller.service.release(SESSION, "refused");
    expect([caller.isIdle, caller.record.cause]).toEqual([true, "refused"]);
  });

  it("finds its rule by the offer in the 200 where the INVITE had none, and is granted by its answer in the ACK", async () => {
    const [caller] = sides();
    await caller.invite("");
    expect(caller.record.rule).toBe("calls");
    await caller.answer(answer("sluice-class:fps", need("80-40")));
    expect(caller.record.rule).toBe("games");
    expect(
      (await caller.answer(offer("sluice-class:fps", need("64-40")), "ACK sip:bob@b.example SIP/2.0")).admitted,
    ).toBe(true);
    expect(caller.granted).toEqual(["0;class=fps;phb=VA;result=granted;to-caller=64;to-callee=64"]);
    expect(caller.router.installed.size).toBe(2);
  });

  it("tells the negotiation in a sentence for each medium", async () => {
    const [caller] = await established(60);
    expect(caller.record.steps.at(-1)).toMatchObject({
      what: "reserved",
      detail:
        "2 flows in pool voice: 65.6 kbit/s up, 65.6 kbit/s down; medium 0 (talk) reduced in EF, " +
        "60 kbit/s to the caller of 80 kbit/s wanted, 40 kbit/s acceptable, 60 kbit/s to the callee of 80 kbit/s wanted, 40 kbit/s acceptable",
    });
  });

  it("lets the proxies leave where all its media say so", async () => {
    const [caller, callee] = sides();
    await caller.invite(offer("sluice-class:rts"));
    await callee.invite(offer(CLASS));
    expect([caller.record.directives.direct, callee.record.directives.direct]).toEqual([true, undefined]);
  });
});
