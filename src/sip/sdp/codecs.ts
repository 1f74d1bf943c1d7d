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
  /**
   * What each packet holds a whole number of, of a codec whose frames are all as large or (silence) smaller.
   * Absent for one whose rate varies: no packet of it is the largest.
   */
  readonly frame?: { readonly ms: number; readonly octets: number };
}

/** Samples of 8 bits at 8000 Hz, or what comes to the same: any whole millisecond is a frame. */
const G711_FRAME = { ms: 1, octets: 8 };

/** RFC 3551 §4.5 and tables 1 and 4 for those with frames; the others are what they usually send. */
const AUDIO: Readonly<Record<string, CodecRate>> = {
  pcmu: { rate: 64_000, ptime: 20, frame: G711_FRAME },
  pcma: { rate: 64_000, ptime: 20, frame: G711_FRAME },
  g722: { rate: 64_000, ptime: 20, frame: G711_FRAME },
  g729: { rate: 8_000, ptime: 20, frame: { ms: 10, octets: 10 } },
  gsm: { rate: 13_200, ptime: 20, frame: { ms: 20, octets: 33 } },
  g723: { rate: 6_400, ptime: 30, frame: { ms: 30, octets: 24 } },
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
  switch (codec.name) {
    case "opus":
      return opusRate(codec.parameters ?? "");
    case "ilbc":
      // RFC 3952 §4.2: 38 octets each 20 ms or 50 octets each 30 ms, 30 unless mode=20.
      return /\bmode=20\b/i.test(codec.parameters ?? "")
        ? { rate: 15_200, ptime: 20, frame: { ms: 20, octets: 38 } }
        : { rate: 13_333, ptime: 30, frame: { ms: 30, octets: 50 } };
    case "l16": {
      const rate = codec.clockRate * codec.channels * 16;
      return { rate, ptime: 20, frame: { ms: 1, octets: rate / 8000 } };
    }
    default: {
      const usual = AUDIO[codec.name] ?? UNKNOWN_AUDIO;
      // Its frames are those of one channel and the usual clock.
      return codec.clockRate === 8000 && codec.channels === 1 ? usual : { rate: usual.rate, ptime: usual.ptime };
    }
  }
}

function opusRate(parameters: string): CodecRate {
  // RFC 7587 §6.1: what the receiver wants at most on average; only with cbr=1 is no packet above the average.
  const wanted = Number(/\bmaxaveragebitrate=(\d{1,7})\b/i.exec(parameters)?.[1] ?? 0);
  const rate = Math.min(OPUS_MAXIMUM, Math.max(6_000, wanted || OPUS_DEFAULT));
  const even = wanted > 0 && /\bcbr=1\b/i.test(parameters);
  return { rate, ptime: 20, ...(even ? { frame: { ms: 20, octets: Math.ceil(rate / 400) } } : {}) };
}
