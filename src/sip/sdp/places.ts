/** Where a medium is received: its address, or why it has none that a router could match. */
import { familyOf, type IpAddress, type IpFamily, parseAddress } from "../../model/ip.js";
import { hasNoDefault } from "./bundle.js";
import type { SdpMedia, SessionDescription } from "./description.js";

/** Readable SDP that cannot be turned into flows: a reason to refuse the session (data, no error). */
export interface Unusable {
  readonly kind: "unusable";
  readonly reason:
    | "addressIsName"
    | "addressMissing"
    /** Browsers: an mDNS name instead of an address, or candidates that are still to come. */
    | "addressHidden"
    | "multicast"
    | "familyMismatch"
    | "answerMismatch"
    /** Less security than either side requires. */
    | "insecure"
    /** The answer asks for what the offer does not allow. */
    | "outOfRange";
  /** One sentence for a person. */
  readonly text: string;
}

export interface Place {
  readonly kind: "place";
  /** Undefined for 0.0.0.0 and ::, the old way to hold (RFC 3264 §8.4). */
  readonly address: IpAddress | undefined;
  readonly family: IpFamily | undefined;
  /** Where a=rtcp names another address. */
  readonly rtcpAddress: IpAddress | undefined;
}

/** Media level over session level (RFC 8866 §5.7). */
export function mediaPlace(description: SessionDescription, media: SdpMedia): Place | Unusable {
  const host = media.connection ?? description.session.connection;
  if (host === undefined) return unusable("addressMissing", `the medium of line ${media.line} has no c=`);
  if (hasNoDefault(description, media) || isLocalName(host)) return hidden(media, host);
  const bad =
    reasonAgainst(host) ?? (media.rtcp?.address === undefined ? undefined : reasonAgainst(media.rtcp.address));
  if (bad !== undefined) return bad;
  const address = parseAddress(host);
  const isNowhere = address === "0.0.0.0" || address === "::";
  const rtcp = media.rtcp?.address;
  return {
    kind: "place",
    address: isNowhere ? undefined : address,
    family: familyOf(host),
    rtcpAddress: rtcp === undefined || rtcp === "0.0.0.0" || rtcp === "::" ? undefined : parseAddress(rtcp),
  };
}

function reasonAgainst(host: string): Unusable | undefined {
  const bare = host.split("/", 1)[0] ?? host;
  const family = familyOf(bare);
  // A name may change between our lookup and the packets; only an address can be put into a filter.
  if (family === undefined) return unusable("addressIsName", `the media address ${host} is a name, not an IP address`);
  const first = family === 4 ? Number(bare.split(".", 1)[0]) : 0;
  const isMulticast = (first >= 224 && first <= 239) || /^ff/i.test(bare);
  if (isMulticast || bare !== host) return unusable("multicast", `the media address ${host} is a multicast group`);
  return undefined;
}

const isLocalName = (host: string): boolean => /\.local$/i.test(host);

/** What to set, so that the next try has an address. */
function hidden(media: SdpMedia, host: string): Unusable {
  if (media.hiddenCandidates === true || isLocalName(host)) {
    const text =
      `the medium of line ${media.line} hides its address behind an mDNS name (.local): let the browser show it, by the ` +
      "policy WebRtcLocalIpsAllowedUrls, by --disable-features=WebRtcHideLocalIpsWithMdns, or by allowing the microphone";
    return unusable("addressHidden", text);
  }
  const text =
    `the medium of line ${media.line} has no address yet (${host} port 9): the agent has to gather its candidates ` +
    "before it sends its description, not trickle them afterwards";
  return unusable("addressHidden", text);
}

export const unusable = (reason: Unusable["reason"], text: string): Unusable => ({ kind: "unusable", reason, text });
