/** Codecs: what they put into packets. Payload rates without any header. */
import type { SdpCodec, SdpMedia } from "./description.js";

/** RFC 3551 §6 tables 4 and 5: payload types that need no rtpmap. */
export const STATIC_CODECS: Readonly<Record<string, SdpCodec>> = {
  "0": { name: "pcmu", clockRate: 8000, channels: 1 },
  "3": { name: "gsm", clockRate: 8000, channels: 1 },
  "4": { name: "g723", clockRate: 8000, channels: 1 },
  "8": { name: "pcma", clockRate: 8000, channels: 1 },
  "9": { name: "g722", clockRate: 8000, channels: 1 },
  "10": { name: "l16", clockRate: 44_100, channels: 2 },
  "11": { name: "l16", clockRate: 44_100, channels: 1 },
  "13": { name: "cn", clockRate: 8000, channels: 1 },
  "18": { name: "g729", clockRate: 8000, channels: 1 },
  "26": { name: "jpeg", clockRate: 90_000, channels: 1 },
  "31": { name: "h261", clockRate: 90_000, channels: 1 },
  "34": { name: "h263", clockRate: 90_000, channels: 1 },
};

export interface CodecRate {
  /** bit/s of payload. */
  readonly rate: number;
  /** ms of media in a packet, unless the description says. */
  readonly ptime: number;
}

const AUDIO: Readonly<Record<string, CodecRate>> = {
  pcmu: { rate: 64_000, ptime: 20 },
  pcma: { rate: 64_000, ptime: 20 },
  g722: { rate: 64_000, ptime: 20 },
  g729: { rate: 8_000, ptime: 20 },
  gsm: { rate: 13_200, ptime: 20 },
  g723: { rate: 6_400, ptime: 30 },
  amr: { rate: 12_800, ptime: 20 },
  "amr-wb": { rate: 24_400, ptime: 20 },
  speex: { rate: 24_600, ptime: 20 },
};

/** An audio codec that is in no table, without b=: as much as G.711. */
const UNKNOWN_AUDIO: CodecRate = { rate: 64_000, ptime: 20 };
const OPUS_DEFAULT = 64_000;
const OPUS_MAXIMUM = 510_000;

/** Sent now and then beside a codec, and never the whole of a stream. */
const COMPANIONS = new Set(["telephone-event", "cn", "red", "ulpfec", "flexfec-03", "rtx", "parityfec"]);

/** The codecs of a medium that can carry it, in the order of preference. */
export function mainCodecs(media: SdpMedia): SdpCodec[] {
  return media.formats.flatMap((format) => {
    const codec = media.codecs.get(format);
    return codec === undefined || COMPANIONS.has(codec.name) ? [] : [codec];
  });
}

/** Payload rate of an audio codec. */
export function audioRate(codec: SdpCodec | undefined): CodecRate {
  if (codec === undefined) return UNKNOWN_AUDIO;
  if (codec.name === "opus") {
    // RFC 7587 §6.1: what the receiver wants at most on average.
    const wanted = Number(/\bmaxaveragebitrate=(\d{1,7})\b/i.exec(codec.parameters ?? "")?.[1] ?? OPUS_DEFAULT);
    return { rate: Math.min(OPUS_MAXIMUM, Math.max(6_000, wanted)), ptime: 20 };
  }
  if (codec.name === "ilbc") {
    // RFC 3952 §4.2: 38 octets each 20 ms or 50 octets each 30 ms, 30 unless mode=20.
    return /\bmode=20\b/i.test(codec.parameters ?? "") ? { rate: 15_200, ptime: 20 } : { rate: 13_333, ptime: 30 };
  }
  if (codec.name === "l16") return { rate: codec.clockRate * codec.channels * 16, ptime: 20 };
  return AUDIO[codec.name] ?? UNKNOWN_AUDIO;
}
