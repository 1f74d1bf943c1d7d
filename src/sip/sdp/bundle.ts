/** Media that share one transport (BUNDLE, RFC 9143), and what tells it from media on hold: ICE (RFC 8839). */
import { type AttributeReaders, fault, isToken, partsOf } from "./attribute-reader.js";
import type { SdpMedia, SessionDescription } from "./description.js";

export const BUNDLE_READERS: AttributeReaders = {
  mid: (value, target) => {
    if (!isToken(value)) return fault(0, "an identification tag is a token");
    target.mid = value;
    return true;
  },
  group: (value, target) => {
    const [semantics, ...tags] = partsOf(value, " ");
    if (semantics === undefined || !isToken(semantics.part)) return fault(0, "semantics must come first");
    const wrong = tags.find(({ part }) => !isToken(part));
    if (wrong !== undefined) return fault(wrong.at, "an identification tag is a token");
    if (semantics.part !== "BUNDLE") return true;
    target.bundles ??= [];
    target.bundles.push(tags.map(({ part }) => part));
    return true;
  },
  "bundle-only": (_value, target) => {
    target.bundleOnly = true;
    return true;
  },
  "ice-ufrag": (_value, target) => {
    target.ice = true;
    return true;
  },
  candidate: (value, target) => {
    target.ice = true;
    // foundation, component, transport, priority, address (RFC 8839 §5.1)
    if (/^\S+ \S+ \S+ \S+ \S+\.local /i.test(value)) target.hiddenCandidates = true;
    return true;
  },
};

/** 0.0.0.0 or :: with port 9 says that there is no default candidate (RFC 8839 §4.3.1); with other ports it is a hold. */
export function hasNoDefault(description: SessionDescription, media: SdpMedia): boolean {
  const host = media.connection ?? description.session.connection;
  const isIce = media.ice === true || description.session.ice === true;
  return isIce && media.port === 9 && (host === "0.0.0.0" || host === "::");
}

export interface Exchange {
  readonly offer: SessionDescription;
  readonly answer: SessionDescription | undefined;
}

/**
 * The same descriptions, in which each bundled medium has the transport that it really uses: that of the medium whose
 * tag comes first in the answer's group (RFC 9143). While there is no answer, only those without one of their
 * own borrow that of the first of the offer's group. @param exchange - with as many media in both
 */
export function withTransports({ offer, answer }: Exchange): Exchange {
  if (answer === undefined) return { offer: borrowed(offer), answer };
  const [offered, answered] = [[...offer.media], [...answer.media]];
  const indexOf = new Map(answer.media.map(({ mid }, index) => [mid, index]));
  const groupOf = groupsByTag(offer);
  const settled = new Set<number>();
  for (const tags of answer.bundles) {
    const accepted = tags.flatMap((tag) => {
      const index = indexOf.get(tag);
      // An answer bundles nothing that was not offered in one group, and nothing that it refuses.
      const isOffered = index !== undefined && offer.media[index]?.mid === tag && !settled.has(index);
      return isOffered && groupOf.has(tag) && answer.media[index]?.port !== 0 ? [index] : [];
    });
    const first = accepted[0];
    if (first === undefined) continue;
    const group = groupOf.get(offer.media[first]?.mid ?? "");
    for (const index of new Set(accepted)) {
      if (groupOf.get(offer.media[index]?.mid ?? "") !== group) continue;
      settled.add(index);
      transfer(offer, offered, { from: first, to: index });
      transfer(answer, answered, { from: first, to: index });
    }
  }
  return { offer: { ...offer, media: offered }, answer: { ...answer, media: answered } };
}

/** In which of the groups a tag is; the first, if a description lists it in several, which is not allowed. */
function groupsByTag(description: SessionDescription): ReadonlyMap<string, number> {
  const groups = new Map<string, number>();
  for (const [group, tags] of description.bundles.entries()) {
    for (const tag of tags) if (!groups.has(tag)) groups.set(tag, group);
  }
  return groups;
}

function borrowed(offer: SessionDescription): SessionDescription {
  if (offer.bundles.length === 0) return offer;
  const media = [...offer.media];
  const indexOf = new Map(offer.media.map(({ mid }, index) => [mid, index]));
  const settled = new Set<number>();
  for (const tags of offer.bundles) {
    const indexes = tags.flatMap((tag) => indexOf.get(tag) ?? []).filter((index) => !settled.has(index));
    const lender = indexes.find(
      (index) => offer.media[index]?.port !== 0 && !lacksTransport(offer, offer.media[index]),
    );
    if (lender === undefined) continue;
    for (const to of new Set(indexes)) {
      settled.add(to);
      if (lacksTransport(offer, offer.media[to])) transfer(offer, media, { from: lender, to });
    }
  }
  return { ...offer, media };
}

const lacksTransport = (description: SessionDescription, media: SdpMedia | undefined): boolean =>
  media === undefined || media.port === 0 ? media?.bundleOnly === true : hasNoDefault(description, media);

/** RFC 9143, RFC 8859: attributes of the categories TRANSPORT and IDENTICAL are those of the tagged medium. */
function transfer(
  { media, session }: SessionDescription,
  into: SdpMedia[],
  { from, to }: { readonly from: number; readonly to: number },
): void {
  const [lender, taker] = [media[from], media[to]];
  if (lender === undefined || taker === undefined || from === to) return;
  const { rtcp, connection: _own, ...rest } = taker;
  const connection = lender.connection ?? session.connection;
  const lent = lender.rtcp;
  const fingerprints = lender.fingerprints ?? taker.fingerprints;
  const setup = lender.setup ?? taker.setup;
  into[to] = {
    ...rest,
    port: lender.port,
    portCount: lender.portCount,
    rtcpMux: lender.rtcpMux || taker.rtcpMux,
    ...(connection === undefined ? {} : { connection }),
    ...(lent === undefined ? {} : { rtcp: lent }),
    ...(fingerprints === undefined ? {} : { fingerprints }),
    ...(setup === undefined ? {} : { setup }),
  };
}
