/** Rows of what media need beside a rate: security, paths, reservations (RFC 3312). */
import {
  beyond,
  FILM,
  FPS,
  film,
  full,
  game,
  mandatory,
  need,
  optional,
  type Row,
  refused,
  served,
  TALK,
  talk,
  two,
  unpromised,
  unreserved,
} from "./negotiation-vocabulary.js";

export const QUALITY_ROWS: Readonly<Record<string, Row>> = {
  // Security.
  "a class that requires DTLS, without": {
    offer: [["sluice-class:safe"]],
    becomes: refused(488, "offer", /dtls/i),
  },
  "a class that requires DTLS, with": {
    offer: [["dtls", "sluice-class:safe"]],
    becomes: served([{ ...talk("granted", 84), class: "safe" }]),
  },
  "SRTP required by the answer, of plain media": {
    offer: [[TALK]],
    answer: [[TALK, "sluice-security:srtp"]],
    becomes: refused(488, "answer", /srtp/i),
  },
  // Paths, measured in the game pool only.
  "a latency that the path keeps": {
    offer: [[FPS, need("latency=400-500")]],
    becomes: served([game("fps", "granted", 80)]),
  },
  "a latency between wanted and worst": {
    offer: [[FPS, need("latency=0.001-500")]],
    becomes: served([game("fps", "reduced", 80)]),
  },
  "a latency beyond what the path gives": {
    offer: [[FPS, need("latency=0.001")]],
    becomes: refused(580, "offer", beyond("latency", "0.001 ms")),
  },
  "an answer with a latency beyond what the path gives": {
    offer: [[FPS, need("latency=0.001-500")]],
    answer: [[FPS, need("latency=0.001")]],
    becomes: refused(580, "answer", beyond("latency", "0.001 ms")),
  },
  "a jitter between wanted and worst": {
    offer: [[FPS, need("jitter=0.001-500")]],
    becomes: served([game("fps", "reduced", 80)]),
  },
  "a jitter beyond what the path gives": {
    offer: [[FPS, need("jitter=0.001")]],
    becomes: refused(580, "offer", beyond("jitter", "0.001 ms")),
  },
  "an answer with a jitter beyond what the path gives": {
    offer: [[FPS, need("jitter=0.001-500")]],
    answer: [[FPS, need("jitter=0.001")]],
    becomes: refused(580, "answer", beyond("jitter", "0.001 ms")),
  },
  "a jitter beyond what the path gives, of one of two media": {
    offer: [[TALK], [FPS, need("jitter=0.001")]],
    becomes: refused(580, "offer", beyond("jitter", "0.001 ms")),
  },
  "a loss that the path keeps": {
    offer: [[FPS, need("loss=0.9")]],
    becomes: served([game("fps", "granted", 80)]),
  },
  "a class for less loss than the path has": {
    offer: [["sluice-class:duel"]],
    becomes: served([game("duel", "granted", 80)]),
  },
  "jitter and loss as the class promises, unmeasured": {
    offer: [[TALK, need("jitter=30;loss=0.01")]],
    becomes: served([talk("granted", 80)]),
  },
  "a jitter that the class does not promise, unmeasured": {
    offer: [[TALK, need("jitter=10-20")]],
    becomes: refused(580, "offer", unpromised("jitter", "20 ms", "the class promises 30 ms")),
  },
  "a loss that the class does not promise, unmeasured": {
    offer: [[TALK, need("loss=0.001")]],
    becomes: refused(580, "offer", unpromised("loss", "0.1 %", "the class promises 1 %")),
  },
  "an answer with a loss that the class does not promise, unmeasured": {
    offer: [[TALK, need("loss=0.001-0.01")]],
    answer: [[TALK, need("loss=0.001")]],
    becomes: refused(580, "answer", unpromised("loss", "0.1 %", "the class promises 1 %")),
  },
  "a jitter that no class promises, unmeasured": {
    offer: [[need("jitter=100")]],
    becomes: refused(580, "offer", unpromised("jitter", "100 ms", "no class promises it")),
  },
  "a latency as the class promises, unmeasured": {
    offer: [[TALK, need("latency=150")]],
    becomes: served([talk("granted", 80)]),
  },
  "a latency that the class does not promise, unmeasured": {
    offer: [[TALK, need("latency=20-30")]],
    becomes: refused(580, "offer", unpromised("latency", "30 ms", "the class promises 150 ms")),
  },
  "a latency that no class promises, unmeasured": {
    offer: [[need("latency=200")]],
    becomes: refused(580, "offer", unpromised("latency", "200 ms", "no class promises it")),
  },
  "a hint that the class does not promise": {
    offer: [[TALK, "3gpp-qos-hint:latency=100"]],
    becomes: refused(580, "offer", unpromised("latency", "100 ms", "the class promises 150 ms")),
  },
  // Preconditions (RFC 3312).
  "a class without a guarantee, which the caller's network has to reserve": {
    offer: [[FILM, ...mandatory("local")]],
    becomes: refused(580, "offer", unreserved(0)),
  },
  "a class without a guarantee, which the callee's network has to reserve": {
    offer: [[FILM, ...mandatory("remote")]],
    becomes: refused(580, "offer", unreserved(0)),
  },
  "a class without a guarantee, which an answer has the networks reserve": {
    offer: [[FILM, ...optional]],
    answer: [[FILM, ...mandatory("local", "remote")]],
    becomes: refused(580, "answer", unreserved(0)),
  },
  "a class without a guarantee, which the networks should reserve": {
    offer: [[FILM, ...optional]],
    becomes: served([film]),
  },
  "media that the networks have to reserve, the callee's side full": {
    offer: [mandatory("local", "remote")],
    rooms: two({ voice: 79 }),
    becomes: refused(580, "offer", full("voice")),
  },
};
