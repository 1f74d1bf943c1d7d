/** Names and enumerations of TS 101 321 as the field uses them, and our extensions. */

/** Components that only their own name tells apart, and how each is answered. */
const RESPONSES = {
  AuthorisationRequest: "AuthorisationResponse",
  AuthorizationRequest: "AuthorizationResponse",
  AuthorisationIndication: "AuthorisationConfirmation",
  AuthorizationIndication: "AuthorizationConfirmation",
  ReauthorisationRequest: "ReauthorisationResponse",
  ReauthorizationRequest: "ReauthorizationResponse",
  UsageIndication: "UsageConfirmation",
  PricingIndication: "PricingConfirmation",
  CapabilitiesIndication: "CapabilitiesConfirmation",
  SubscriberAuthenticationRequest: "SubscriberAuthenticationResponse",
} as const satisfies Record<string, string>;

const REQUEST_NAMES: ReadonlyMap<string, string> = new Map(Object.entries(RESPONSES));
const RESPONSE_NAMES: ReadonlySet<string> = new Set(Object.values(RESPONSES));

/** The name of the component that answers `name`, in the same spelling; undefined if it is no request. */
export const responseNameOf = (name: string): string | undefined => REQUEST_NAMES.get(name);

export const isComponentName = (name: string): boolean => REQUEST_NAMES.has(name) || RESPONSE_NAMES.has(name);

/**
 * Our extension elements. Each always goes out with critical="False", so that a receiver that does not
 * know it skips it, and each has its numbers in attributes or text, so that nothing inside can offend.
 */
export const EXTENSION = {
  session: "SluiceSession",
  bandwidth: "SluiceBandwidth",
  serviceClass: "SluiceServiceClass",
  usage: "SluiceUsage",
  result: "SluiceResult",
  tariff: "SluiceTariff",
} as const;

/**
 * Every element name of the standard and its field dialect. An element outside this list is unknown, and
 * makes the whole message unacceptable unless it says critical="False"; a known one in a place where
 * we do not read it is skipped.
 */
const KNOWN_ELEMENTS: ReadonlySet<string> = new Set(
  `AlertTime AlmostOutOfResources Amount ApplicationId AssertedIdSourceInfo Attestation Audit AuditMaxMessages AuditState
  AuditTimeLimit AuditURL AuthorityURL Cached CallCategory CalledPartyInfo CallId CallIdPrivacy CallingPartyInfo
  CallReason CallType CDRProxy CertificateInfo ChargeInfoSourceInfo ChargingVector Code Codec ConnectTime
  ContactSourceInfo CpsLatency CpsResponseCode Currency CustomerId CustomInfo Delay DelayLimit DelayPreference Description
  Destination DestinationAlternate DestinationAudioAddress DestinationInfo DestinationProtocol DestinationRealm
  DestinationSignalAddress DestinationVideoAddress DeviceId DeviceInfo DisplayName DiversionDeviceInfo
  DiversionSourceInfo EndPoint EndTime FolderName Format Fraction FromSourceInfo Group GroupId HeaderName HeaderValue Host
  ICPIF IconDigest IconUrl IdBypassSourceInfo IdentitySourceInfo Increment JIP Jitter JurisdictionType
  LastRedirectOnBehalfOf LastRedirectReason Latency LossReceived LossSent Lost MOSCQ MOSLQ Maximum MaximumDestinations
  Mean Message Metrics Minimum NetworkTranslatedCalledNumber NetworkType OSPVersion OneWayDelay
  OriginalRedirectOnBehalfOf OriginalRedirectReason OriginationId OutOfBand Packets PostDialDelay RFactor Rcd
  RcdIntegrity RelatedCallIdReason ReleaseSource RemotePartyIdSourceInfo RequestDestinationInfo Resources RichCallData
  Role RoleInfo RoundTripDelay Samples SdpFingerprint Service ServiceProviderId ServiceType SessionId SetupAttempt
  SignalingProtocol SipMessage SipRequestDate SipStatusHeader SourceAlternate SourceAudioAddress SourceInfo SourceRealm
  SourceSignalAddress SourceVideoAddress StartTime State Statistics Status StirInfo SubfolderName SubscriberRatePlan
  SystemId TCCode TerminationCause Timestamp ToDestinationInfo Token TokenInfo TotalOctets TotalPackets
  TotalSetupAttempts TransactionId TransferId TransferStatus TwoWayDelay URL Unit UsageDetail UserAgent UserGroup UserId
  UserName ValidAfter ValidUntil Variance VendorInfo VerificationStatus`
    .split(/\s+/)
    .concat(Object.values(EXTENSION)),
);

export const isKnownElement = (name: string): boolean => KNOWN_ELEMENTS.has(name) || isComponentName(name);

export const SERVICE_TYPES = ["voice", "video", "data", "portedNumberQuery", "cnamQuery", "stirQuery"] as const;
export type ServiceType = (typeof SERVICE_TYPES)[number];

export const RELEASE_SOURCES = ["unknown", "source", "destination", "internal", "external"] as const;
export type ReleaseSource = (typeof RELEASE_SOURCES)[number];

export const ROLES = ["source", "destination", "other"] as const;
export type Role = (typeof ROLES)[number];

export const TERMINATION_CAUSE_TYPES = ["h323", "q850", "sip", "xmpp"] as const;
export type TerminationCauseType = (typeof TERMINATION_CAUSE_TYPES)[number];
