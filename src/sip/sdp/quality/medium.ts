/** What the two descriptions agree for one medium: its class, what each direction needs, how it is protected. */
import type { MediaSecurity, QualityNeed, QualityRange } from "../../../model/quality.js";
import type { SdpMedia, SdpScope, SessionDescription } from "../description.js";
import { type Unusable, unusable } from "../places.js";
import { isLess, securityAgreed, securityOffered } from "../security.js";
import {
  agreeNeed,
  hintNeed,
  type NeedAgreement,
  type NeedChanges,
  type NeedParameter,
  strictest,
} from "./agreement.js";
import type { SdpQuality } from "./description.js";

export interface DirectionQuality {
  readonly need: QualityNeed | undefined;
  /** Undefined while there is no answer, and where neither side needs anything. */
  readonly changes: NeedChanges | undefined;
}

export interface MediumQuality {
  readonly kind: "quality";
  /** As the agents name it; undefined where the answer does not repeat it. */
  readonly sessionClass: string | undefined;
  readonly towardOfferer: DirectionQuality;
  readonly towardAnswerer: DirectionQuality;
  /** What the descriptions give, not what they ask for. */
  readonly security: MediaSecurity;
}

export interface MediumPair {
  readonly index: number;
  readonly offered: SdpMedia;
  readonly answered: SdpMedia | undefined;
  readonly offer: SessionDescription;
  readonly answer: SessionDescription | undefined;
}

/** While there is no answer it is what the offer wants. */
export function mediumQuality(pair: MediumPair): MediumQuality | Unusable {
  const offered = effective(pair.offer.session, pair.offered);
  const answered =
    pair.answer === undefined || pair.answered === undefined
      ? undefined
      : effective(pair.answer.session, pair.answered);
  const security = answered === undefined ? securityOffered(offered) : securityAgreed(offered, answered);
  const insecure = reasonAgainst(pair.index, security, offered, answered);
  if (insecure !== undefined) return insecure;
  if (answered === undefined) return offeredQuality(offered, security);
  return agreedQuality(pair.index, { offered, answered, security });
}

function offeredQuality(offered: SdpMedia, security: MediaSecurity): MediumQuality {
  const hint = hintNeed(offered.hint);
  return {
    kind: "quality",
    sessionClass: offered.sessionClass?.name,
    towardOfferer: { need: strictest(offered.needs?.recv, hint), changes: undefined },
    towardAnswerer: { need: strictest(offered.needs?.send, hint), changes: undefined },
    security,
  };
}

type Agreed = Extract<NeedAgreement, { kind: "agreed" }>;
type OutOfRange = Extract<NeedAgreement, { kind: "outOfRange" }>;

interface Described {
  readonly offered: SdpMedia;
  readonly answered: SdpMedia;
  readonly security: MediaSecurity;
}

function agreedQuality(index: number, { offered, answered, security }: Described): MediumQuality | Unusable {
  const [asked, repeated] = [offered.sessionClass?.name, answered.sessionClass?.name];
  if (repeated !== undefined && repeated !== asked) {
    const before = asked === undefined ? "none" : `the class ${asked}`;
    return unusable("outOfRange", `the answer gives medium ${index} the class ${repeated}, the offer ${before}`);
  }
  // What one side sends the other receives.
  const toAnswerer = agreeNeed(offered.needs?.send, answered.needs?.recv);
  if (toAnswerer.kind === "outOfRange") return outside(index, toAnswerer);
  const toOfferer = agreeNeed(offered.needs?.recv, answered.needs?.send);
  if (toOfferer.kind === "outOfRange") return outside(index, toOfferer);
  const hint = hintNeed(answered.hint);
  return {
    kind: "quality",
    sessionClass: repeated,
    towardOfferer: agreedDirection(toOfferer, hint),
    towardAnswerer: agreedDirection(toAnswerer, hint),
    security,
  };
}

const agreedDirection = ({ need, changes }: Agreed, hint: QualityNeed): DirectionQuality => ({
  need: strictest(need, hint),
  changes: Object.keys(changes).length === 0 ? undefined : changes,
});

/** Media level over session level: a need for each direction by itself, other attributes as a whole. */
function effective(session: SdpScope, media: SdpMedia): SdpMedia {
  const defaults: SdpQuality & Pick<SdpScope, "fingerprints" | "setup"> = {
    ...(session.sessionClass === undefined ? {} : { sessionClass: session.sessionClass }),
    ...(session.requiredSecurity === undefined ? {} : { requiredSecurity: session.requiredSecurity }),
    ...(session.fingerprints === undefined ? {} : { fingerprints: session.fingerprints }),
    ...(session.setup === undefined ? {} : { setup: session.setup }),
  };
  return { ...defaults, ...media, needs: { ...session.needs, ...media.needs } };
}

function reasonAgainst(
  index: number,
  security: MediaSecurity,
  offered: SdpMedia,
  answered: SdpMedia | undefined,
): Unusable | undefined {
  const requirements = [
    ["offer", offered.requiredSecurity],
    ["answer", answered?.requiredSecurity],
  ] as const;
  for (const [whose, required] of requirements) {
    if (required === undefined || !isLess(security, required)) continue;
    const given = answered === undefined ? "its description gives" : "the two descriptions give";
    const text = `the ${whose} requires ${required} of medium ${index} (${offered.kind}), ${given} ${security}: ${REMEDIES[required]}`;
    return unusable("insecure", text);
  }
  return undefined;
}

const REMEDIES: Readonly<Record<MediaSecurity, string>> = {
  none: "nothing is to be done",
  srtp: "both sides have to use RTP/SAVP with a=crypto that encrypts, or DTLS",
  dtls: "both sides have to use a protocol over DTLS with a=fingerprint",
};

function outside(index: number, agreement: OutOfRange): Unusable {
  const { parameter, offered, answered } = agreement;
  const text = `the answer's ${parameter} of ${inWords(parameter, answered)} for medium ${index} is outside the offered ${inWords(parameter, offered)}`;
  return unusable("outOfRange", text);
}

function inWords(parameter: NeedParameter, { wanted, worst }: QualityRange<number>): string {
  const scale = parameter === "rate" ? 1000 : 1;
  const values = wanted === worst ? `${wanted / scale}` : `${wanted / scale}-${worst / scale}`;
  return `${values}${UNITS[parameter]}`;
}

const UNITS = { latency: " ms", jitter: " ms", loss: "", rate: " kbit/s" } as const;
