/** The four messages of a session, as values and as the octets they must become. */
import { octets } from "../../../src/model/units.js";
import type { EncodableComponent, OspMessage } from "../../../src/osp/codec/messages.js";
import { at, CALL_ID, NOW, txid } from "../support.js";

export interface Golden {
  readonly message: OspMessage<EncodableComponent>;
  readonly xml: string;
}

const TOKEN = Buffer.from("token");
const HEAD = '<?xml version="1.0"?>';
const CALLED = '<DestinationInfo type="e164">4420456</DestinationInfo>';
const CALL = '<CallId encoding="base64">YTFAMTkyLjAuMi4x</CallId>';
const source = { type: "e164", value: "4930123" };
const destination = { type: "e164", value: "4420456" };

export const AUTHORISATION_REQUEST: Golden = {
  message: {
    messageId: "7001",
    random: "41",
    components: [
      {
        kind: "AuthorisationRequest",
        componentId: "7000",
        timestamp: NOW,
        callId: CALL_ID,
        source,
        sourceAlternates: [
          { type: "transport", value: "[192.0.2.1]:5060" },
          { type: "subscriber", value: "alice@a.example" },
        ],
        destination,
        maximumDestinations: 2,
      },
    ],
  },
  xml: `${HEAD}<Message messageId="7001" random="41"><AuthorisationRequest componentId="7000"><Timestamp>2026-01-02T03:04:05Z</Timestamp>${CALL}<SourceInfo type="e164">4930123</SourceInfo><SourceAlternate type="transport">[192.0.2.1]:5060</SourceAlternate><SourceAlternate type="subscriber">alice@a.example</SourceAlternate>${CALLED}<Service/><MaximumDestinations>2</MaximumDestinations></AuthorisationRequest></Message>`,
};

export const AUTHORISATION_RESPONSE: Golden = {
  message: {
    messageId: "7001",
    random: "42",
    components: [
      {
        kind: "AuthorisationResponse",
        componentId: "7000",
        timestamp: NOW,
        status: { code: 200, description: "success" },
        transactionId: txid("900001"),
        destinations: [
          {
            callId: CALL_ID,
            destination,
            signalAddress: "[198.51.100.7]:5060",
            token: TOKEN,
            validAfter: at("2026-01-02T03:03:05Z"),
            validUntil: at("2026-01-02T03:09:05Z"),
            limit: 3600,
          },
        ],
      },
    ],
  },
  xml: `${HEAD}<Message messageId="7001" random="42"><AuthorisationResponse componentId="7000"><Timestamp>2026-01-02T03:04:05Z</Timestamp><Status><Code>200</Code><Description>success</Description></Status><TransactionId>900001</TransactionId><Destination>${CALL}${CALLED}<DestinationSignalAddress>[198.51.100.7]:5060</DestinationSignalAddress><Token encoding="base64">dG9rZW4=</Token><ValidAfter>2026-01-02T03:03:05Z</ValidAfter><ValidUntil>2026-01-02T03:09:05Z</ValidUntil><UsageDetail><Amount>3600</Amount><Increment>1</Increment><Service/><Unit>s</Unit></UsageDetail></Destination></AuthorisationResponse></Message>`,
};

export const USAGE_INDICATION: Golden = {
  message: {
    messageId: "7003",
    random: "43",
    components: [
      {
        kind: "UsageIndication",
        componentId: "7002",
        timestamp: at("2026-01-02T03:10:05Z"),
        role: "source",
        transactionId: txid("900001"),
        callId: CALL_ID,
        source,
        destination,
        destinationAlternates: [{ type: "transport", value: "[198.51.100.7]:5060" }],
        detail: {
          seconds: 300,
          terminationCauses: [{ type: "sip", code: 200 }],
          startTime: at("2026-01-02T03:05:00Z"),
          endTime: at("2026-01-02T03:10:02Z"),
          releaseSource: "source",
        },
      },
    ],
  },
  xml: `${HEAD}<Message messageId="7003" random="43"><UsageIndication componentId="7002"><Timestamp>2026-01-02T03:10:05Z</Timestamp><Role>source</Role><TransactionId>900001</TransactionId>${CALL}<SourceInfo type="e164">4930123</SourceInfo>${CALLED}<DestinationAlternate type="transport">[198.51.100.7]:5060</DestinationAlternate><UsageDetail><TerminationCause type="sip"><TCCode>200</TCCode></TerminationCause><Amount>300</Amount><Increment>1</Increment><Unit>s</Unit><StartTime>2026-01-02T03:05:00Z</StartTime><EndTime>2026-01-02T03:10:02Z</EndTime><ReleaseSource>source</ReleaseSource></UsageDetail></UsageIndication></Message>`,
};

export const USAGE_CONFIRMATION: Golden = {
  message: {
    messageId: "7003",
    random: "44",
    components: [
      {
        kind: "UsageConfirmation",
        componentId: "7002",
        timestamp: at("2026-01-02T03:10:05Z"),
        status: { code: 200 },
      },
    ],
  },
  xml: `${HEAD}<Message messageId="7003" random="44"><UsageConfirmation componentId="7002"><Timestamp>2026-01-02T03:10:05Z</Timestamp><Status><Code>200</Code></Status></UsageConfirmation></Message>`,
};

export const TRAFFIC = {
  up: { inProfile: { packets: 500, octets: octets(100_000) }, outOfProfile: { packets: 3, octets: octets(600) } },
  down: { inProfile: { packets: 499, octets: octets(99_800) }, outOfProfile: { packets: 0, octets: octets(0) } },
};
