/** A browser as people have it: without a microphone in use it tells pages names in the place of its addresses (mDNS). */
import { afterAll, beforeAll, expect, it } from "vitest";
import { flowsOf } from "../../../src/sip/sdp/flows.js";
import { readSdp } from "../../../src/sip/sdp/reader.js";
import { ORIGIN } from "../support.js";
import { type Stage, startStage, violations } from "./support/page.js";

const TIMEOUT = 90_000;
let stage: Stage;

beforeAll(async () => {
  stage = await startStage({}, undefined, false);
}, TIMEOUT);
afterAll(() => stage.close());

/** Of all INVITEs. */
const offers = () =>
  stage.relay.messages
    .filter(({ text }) => text.startsWith("INVITE "))
    .map(({ text }) => readSdp(Buffer.from(text.slice(text.indexOf("\r\n\r\n") + 4))));

it(
  "says that no network can reserve for it, as the policy server finds too",
  async () => {
    const [alice] = [await stage.enter("alice"), await stage.enter("bob")];
    await alice.getByRole("button", { name: "Invite Bo" }).click();
    await alice.getByRole("button", { name: "Send invitation" }).click();
    await alice.getByText("This browser hides its addresses, so no network can reserve for it").waitFor();
    await alice.getByText("It rings at the other side.").waitFor();
    expect(await violations(alice)).toEqual([]);
    const [offer] = offers();
    if (offer === undefined) throw new Error("no INVITE was sent");
    expect(offer.media[0]?.hiddenCandidates).toBe(true);
    expect(flowsOf(offer, undefined).kind).toBe("unusable");

    await alice.context().grantPermissions(["microphone"], { origin: ORIGIN });
    await alice.getByRole("button", { name: "Let this page see the addresses" }).click();
    await alice.getByText("Invite again.").waitFor();
    await alice.getByRole("button", { name: "End session" }).click();
    await alice.getByRole("button", { name: "Close" }).click();
    await alice.getByRole("button", { name: "Invite Bo" }).click();
    await alice.getByRole("button", { name: "Send invitation" }).click();
    await alice.getByText("It rings at the other side.").waitFor();
    expect(await alice.getByRole("button", { name: "Let this page see the addresses" }).count()).toBe(0);
    const again = offers()[1];
    expect(again?.media[0]?.hiddenCandidates).toBeUndefined();
    expect(again && flowsOf(again, undefined).kind).toBe("flows");
  },
  TIMEOUT,
);
