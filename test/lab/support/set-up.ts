/** INVITE, its answer and the ACK between two agents, and the end of what came of it. */
import type { Pair, Party } from "./dialog.js";
import { header, type SipText, values } from "./sip-message.js";

export interface SetUpWish {
  /** Of the caller: an offer, or the answer in the ACK where `late` is set. */
  readonly offer: string;
  /** Of the callee; a status refuses. */
  readonly answer: string | number;
  /** The INVITE has no offer, the 200 has it. */
  readonly late?: boolean;
  /** Further header fields of the INVITE, and of the 200. */
  readonly lines?: readonly string[];
  readonly answerLines?: readonly string[];
}

export interface SetUp {
  /** The INVITE's final answer as the caller got it. */
  readonly final: SipText;
  /** As the callee got it; absent if it was refused before. */
  readonly invite?: SipText;
  readonly ack?: SipText;
  /** To the callee of a call that was refused after its answer. */
  readonly bye?: SipText;
}

const PATIENCE = 8000;

export async function setUp({ caller, callee }: Pair, wish: SetUpWish): Promise<SetUp> {
  const { offer, answer, late = false, lines = [], answerLines = [] } = wish;
  const number = caller.request("INVITE", { body: late ? "" : offer, lines, branch: caller.callId.slice(0, 8) });
  const invite = await answered(caller, callee, number);
  if (invite !== undefined) {
    if (typeof answer === "number") callee.reply(invite, answer);
    else {
      callee.learn(invite);
      callee.reply(invite, 200, answer, answerLines);
    }
  }
  const final = await caller.final("INVITE", number, PATIENCE);
  if (final.status >= 300) {
    caller.acknowledge(number, { branch: caller.callId.slice(0, 8) });
    return { final, ...(invite && { invite, ...(await refusedTo(callee, answer)) }) };
  }
  caller.learn(final);
  caller.acknowledge(number, { body: late ? offer : "", lines: copied(caller, final) });
  if (invite === undefined) throw new Error("a 2xx without an INVITE");
  return { final, invite, ack: await callee.takes("ACK") };
}

/** The INVITE as the callee gets it, or nothing if the caller gets its answer before. */
async function answered(caller: Party, callee: Party, number: number): Promise<SipText | undefined> {
  const refused = caller.agent.sees("a refusal", caller.isFinal("INVITE", number), PATIENCE).then(() => undefined);
  const reached = callee.takes("INVITE", PATIENCE);
  // Whichever of them does not come.
  for (const each of [refused, reached]) each.catch(() => undefined);
  return Promise.race([reached, refused]);
}

/** What the proxies do about a 200 that they do not let through: ACK and BYE. */
async function refusedTo(callee: Party, answer: string | number): Promise<Pick<SetUp, "ack" | "bye">> {
  const ack = await callee.takes("ACK");
  if (typeof answer === "number") return { ack };
  const bye = await callee.takes("BYE");
  callee.reply(bye, 200);
  return { ack, bye };
}

/** Where the proxies are gone, an agent tells the other what it was told (docs/SDP.md). */
const copied = ({ routes }: Party, final: SipText): readonly string[] =>
  routes.length > 0 ? [] : grantedOf(final).map((value) => `Sluice-Granted: ${value}`);

/** Values of Sluice-Granted. What was measured varies: it becomes `;measured`. */
export const grantedOf = (message: SipText): readonly string[] => values(message, "Sluice-Granted");

export const withoutFigures = (granted: readonly string[]): readonly string[] =>
  granted.map((value) => value.replace(/;latency=[\d.]+;jitter=[\d.]+;loss=[\d.]+/, ";measured"));

/** One side hangs up, the other agrees. */
export async function hangUp(from: Party, to: Party): Promise<void> {
  const number = from.request("BYE");
  const bye = await to.takes("BYE");
  to.reply(bye, 200);
  await from.final("BYE", number);
}

export const causeOf = (bye: SipText): string => header(bye, "Reason") ?? "";

/**
 * The proxies hang up for both; each agent has hung up already, or does so now. In a direct dialog neither proxy knows what the
 * other does, so that a second BYE may come to each.
 */
export async function ended({ caller, callee }: Pair, status: 200 | 481, within?: number): Promise<readonly string[]> {
  return Promise.all(
    [caller, callee].map(async (party) => {
      const bye = await party.takes("BYE", within);
      party.reply(bye, status);
      void repeat(party);
      return causeOf(bye);
    }),
  );
}

async function repeat(party: Party): Promise<void> {
  try {
    for (;;) party.reply(await party.takes("BYE", 20_000), 481);
  } catch {
    // No more came.
  }
}
