/** What both enforcement points share of their client to the policy server. */
import type { PeerView } from "../control/views.js";
import type { PepClient } from "../cops/endpoint/pep-client.js";
import { millis } from "../model/units.js";

/** Between attempts to reach the policy server. */
export const RECONNECT = { min: millis(100), max: millis(2000) };

export const policyServerView = (client: PepClient, protocol: "COPS" | "COPS-PR"): PeerView => ({
  name: "policy server",
  address: client.ends?.remote ?? "",
  protocol,
  state: client.state,
  since: client.since,
});

export const policyServerProblems = (client: PepClient): readonly string[] =>
  client.state === "open" ? [] : ["no policy server is connected"];
