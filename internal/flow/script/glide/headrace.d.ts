// Types of what scripts can call on the server. Written by `headrace script types`; scripts are plain JavaScript, editors
// read this file. Records have one property per field, which cannot be declared here: they are `any`.

type GlideValue = string | number | boolean | null | undefined | GlideElement;

/** An object that can be walked as an array and as the lists that scripts are used to. */
interface GlideList<T = any> extends Array<T> {
    size(): number;
    isEmpty(): boolean;
    get(index: number): T | null;
    contains(item: T): boolean;
    add(item: T): boolean;
    remove(index: number): T;
    getLength(): number;
    item(index: number): T | null;
    toArray(): T[];
    iterator(): { hasNext(): boolean; next(): T };
}

interface Error { getMessage(): string }

interface JSON {
    /** The class of old: `new JSON().encode(value)`. */
    new (): { encode(value: any): string; decode(text: string): any };
}

interface ObjectConstructor {
    extend(to: any, from: any): any;
    extendsObject(base: any, members: any): any;
    clone(from: any): any;
}

// Records

/** The record that a rule is about. */
declare const current: GlideRecord;
/** That record as it was; null when it is inserted. */
declare const previous: GlideRecord;

declare class GlideRecord {
    constructor(table: string);
    [field: string]: any;
    addQuery(field: string, value: any): GlideQueryCondition;
    addQuery(field: string, operator: string, value: any): GlideQueryCondition;
    addQuery(encodedQuery: string): GlideQueryCondition;
    addEncodedQuery(query: string): void;
    addSystemEncodedQuery(query: string): void;
    addUserEncodedQuery(query: string): void;
    addNullQuery(field: string): GlideQueryCondition;
    addNotNullQuery(field: string): GlideQueryCondition;
    addActiveQuery(): GlideQueryCondition;
    addInactiveQuery(): GlideQueryCondition;
    addJoinQuery(table: string, primaryField?: string, joinField?: string): GlideQueryCondition;
    orderBy(field: string): void;
    orderByDesc(field: string): void;
    setLimit(most: number): void;
    chooseWindow(first: number, last: number, forceCount?: boolean): void;
    setNoCount(): void;
    query(field?: string, value?: any): void;
    _query(field?: string, value?: any): void;
    next(): boolean;
    _next(): boolean;
    hasNext(): boolean;
    get(id: GlideValue): boolean;
    get(field: string, value: any): boolean;
    find(field: string, value: any): boolean;
    initialize(): void;
    newRecord(): void;
    isNewRecord(): boolean;
    isValid(): boolean;
    isValidField(field: string): boolean;
    isValidRecord(): boolean;
    isView(): boolean;
    isValidEncodedQuery(query: string): boolean;
    insert(): string | null;
    update(reason?: string): string | null;
    insertWithReferences(): string | null;
    updateWithReferences(reason?: string): string | null;
    updateMultiple(): void;
    deleteRecord(): boolean;
    deleteMultiple(): void;
    setValue(field: string, value: any): void;
    setDisplayValue(field: string, value: any): void;
    getValue(field: string): string | null;
    getDisplayValue(field?: string): string;
    getElement(field: string): GlideElement;
    getElements(): GlideElement[];
    getFields(): GlideList<GlideElement>;
    getUniqueValue(): string | null;
    getTableName(): string;
    getRecordClassName(): string;
    getClassDisplayValue(): string;
    getLabel(): string;
    getPlural(): string;
    getEncodedQuery(): string;
    getLink(noStack?: boolean): string;
    getRowCount(): number;
    getRowNumber(): number;
    getLocation(): number;
    getLastErrorMessage(): string;
    operation(): "insert" | "update" | "delete" | null;
    changes(): boolean;
    canRead(): boolean;
    canWrite(): boolean;
    canCreate(): boolean;
    canDelete(): boolean;
    setWorkflow(run: boolean): void;
    autoSysFields(set: boolean): void;
    setForceUpdate(force: boolean): void;
    setAbortAction(abort: boolean): void;
    isActionAborted(): boolean;
    setNewGuid(): string;
    setNewGuidValue(id: string): void;
    applyEncodedQuery(query: string): void;
    hasAttachments(): boolean;
    instanceOf(table: string): boolean;
}

/** GlideRecord within what the user may read and write. */
declare class GlideRecordSecure extends GlideRecord {}

/** The value of a field where the record stands now: it changes with the record. Keep `getValue()` or `'' + element`. */
declare class GlideElement {
    [field: string]: any;
    changes(): boolean;
    changesFrom(value: any): boolean;
    changesTo(value: any): boolean;
    nil(): boolean;
    hasValue(): boolean;
    toString(): string;
    getValue(): string | null;
    setValue(value: any): void;
    setDisplayValue(value: any): void;
    getDisplayValue(most?: number): string;
    getHTMLValue(most?: number): string;
    getRefRecord(): GlideRecord;
    getReferenceTable(): string;
    getTableName(): string;
    getBaseTableName(): string;
    getName(): string;
    getLabel(): string;
    getDependent(): string | null;
    getChoices(dependent?: string): GlideList<string>;
    getChoiceValue(): string;
    getJournalEntry(how: 1 | -1): string;
    setJournalEntry(text: string, user?: string): void;
    dateNumericValue(): number;
    setDateNumericValue(ms: number): void;
    getGlideObject(): any;
    setError(message: string): void;
    getError(): string;
    getAttribute(name: string): string | null;
    canRead(): boolean;
    canWrite(): boolean;
    canCreate(): boolean;
}

declare class GlideQueryCondition {
    addCondition(field: string, value: any): GlideQueryCondition;
    addCondition(field: string, operator: string, value: any): GlideQueryCondition;
    addOrCondition(field: string, value: any): GlideQueryCondition;
    addOrCondition(field: string, operator: string, value: any): GlideQueryCondition;
}

type GlideAggregateFunction = "COUNT" | "SUM" | "AVG" | "MIN" | "MAX" | "STDDEV" | "COUNT(DISTINCT" | string;

declare class GlideAggregate {
    constructor(table: string);
    [field: string]: any;
    addQuery(field: string, value: any): GlideQueryCondition;
    addQuery(field: string, operator: string, value: any): GlideQueryCondition;
    addEncodedQuery(query: string): void;
    addNullQuery(field: string): GlideQueryCondition;
    addNotNullQuery(field: string): GlideQueryCondition;
    addActiveQuery(): GlideQueryCondition;
    addAggregate(fn: GlideAggregateFunction, field?: string): void;
    getAggregate(fn: GlideAggregateFunction, field?: string): string;
    getTotal(fn: GlideAggregateFunction, field?: string): string;
    groupBy(field: string): void;
    orderBy(field: string): void;
    orderByDesc(field: string): void;
    orderByAggregate(fn: GlideAggregateFunction, field?: string): void;
    addHaving(fn: GlideAggregateFunction, field: string, operator: string, value: any): void;
    addTrend(field: string, unit: string, units?: number): void;
    setGroup(group: boolean): void;
    setIntervalYearIncluded(included: boolean): void;
    query(): void;
    next(): boolean;
    hasNext(): boolean;
    getRowCount(): number;
    getValue(field: string): string | null;
    getAggregateEncodedQuery(): string;
}

declare class GlideRecordUtil {
    getGR(table: string, id: GlideValue): GlideRecord | null;
    getCIGR(id: GlideValue): GlideRecord | null;
    getGlideRecordByAttribute(table: string, field: string, value: any): GlideRecord | null;
    getFields(record: GlideRecord): string[];
    getTables(table: string): string[];
    toHashMap(record: GlideRecord, ignore?: boolean | string[]): { [field: string]: string };
    populateFromGR(map: object, record: GlideRecord, ignore?: boolean | string[]): void;
    mergeToGR(map: object, record: GlideRecord, ignore?: boolean | string[]): void;
    isFieldInGR(record: GlideRecord, field: string): boolean;
}

declare class TableUtils {
    constructor(table?: string);
    tableName: string;
    tableExists(name?: string): boolean;
    getTables(): GlideList<string>;
    getHierarchy(): GlideList<string>;
    getTableExtensions(): GlideList<string>;
    getAllExtensions(): GlideList<string>;
    getAbsoluteBase(): string;
    hasExtensions(): boolean;
    isBaseClass(): boolean;
    isSoloClass(): boolean;
}

// The system

interface GlideSystem {
    info(message: any, ...values: any[]): void;
    warn(message: any, ...values: any[]): void;
    error(message: any, ...values: any[]): void;
    debug(message: any, ...values: any[]): void;
    trace(message: any, ...values: any[]): void;
    log(message: any, source?: string): void;
    logWarning(message: any, source?: string): void;
    logError(message: any, source?: string): void;
    print(message: any): void;
    isDebugging(): boolean;

    getUser(): GlideUser;
    getUserID(): string;
    getUserName(): string;
    getUserDisplayName(): string;
    getUserNameByUserID(id: string): string;
    hasRole(roles: string): boolean;
    hasRoleInGroup(roles: string, group: string): boolean;
    isLoggedIn(): boolean;
    isInteractive(): boolean;
    isMobile(): boolean;
    getSession(): GlideSession;
    getSessionID(): string;
    getSessionToken(): string;
    getTimeZoneName(): string;

    getProperty(name: string): string | null;
    getProperty<T>(name: string, otherwise: T): string | T;
    getEscapedProperty(name: string, otherwise?: any): string | null;
    setProperty(name: string, value: any, description?: string): void;
    getPreference(name: string, otherwise?: any): any;

    addInfoMessage(message: any): void;
    addSuccessMessage(message: any): void;
    addErrorMessage(message: any): void;
    addLowMessage(message: any): void;
    addModerateMessage(message: any): void;
    addHighMessage(message: any): void;
    addMessage(kind: string, message: any): void;
    getInfoMessages(): GlideList<string>;
    getErrorMessages(): GlideList<string>;
    flushMessages(): void;
    getMessage(key: string, values?: any): string;
    getMessageS(key: string, ...values: any[]): string;
    getEscapedMessage(key: string, values?: any): string;

    eventQueue(name: string, record: GlideRecord | null, parm1?: any, parm2?: any, queue?: string): void;
    eventQueueScheduled(name: string, record: GlideRecord | null, parm1: any, parm2: any, at: GlideDateTime | string): void;

    nil(value: any): boolean;
    generateGUID(): string;
    base64Encode(text: any): string;
    base64Decode(text: string): string | null;
    urlEncode(text: any): string;
    urlDecode(text: string): string;
    xmlToJSON(xml: string): any;
    getXMLText(xml: string, path: string): string | null;
    getXMLNodeList(xml: string, path?: string): GlideList<XMLNode> | null;
    tableExists(table: string): boolean;
    getDisplayColumn(table: string): string | null;
    getDisplayValueFor(table: string, id: string, field?: string): string | null;
    sleep(ms: number): void;

    getCurrentScopeName(): string;
    getCallerScopeName(): string | null;
    getCurrentApplicationId(): string;
    include(name: string): boolean;

    now(): string;
    nowDateTime(): string;
    nowNoTZ(): string;
    nowGlideDateTime(): GlideDateTime;
    yesterday(): string;
    lastWeek(): string;
    dateGenerate(date: string, time?: "start" | "end" | string): string | null;
    dateDiff(from: any, to: any, seconds: true): number;
    dateDiff(from: any, to: any, seconds?: boolean): any;
    calDateDiff(from: any, to: any, seconds?: boolean): any;
    getDateFormat(): string;
    getTimeFormat(): string;
    getDateTimeFormat(): string;
    secondsAgo(n: number): string;
    secondsAgoStart(n: number): string;
    secondsAgoEnd(n: number): string;
    minutesAgo(n: number): string;
    minutesAgoStart(n: number): string;
    minutesAgoEnd(n: number): string;
    hoursAgo(n: number): string;
    hoursAgoStart(n: number): string;
    hoursAgoEnd(n: number): string;
    daysAgo(n: number): string;
    daysAgoStart(n: number): string;
    daysAgoEnd(n: number): string;
    weeksAgo(n: number): string;
    weeksAgoStart(n: number): string;
    weeksAgoEnd(n: number): string;
    monthsAgo(n: number): string;
    monthsAgoStart(n: number): string;
    monthsAgoEnd(n: number): string;
    quartersAgo(n: number): string;
    quartersAgoStart(n: number): string;
    quartersAgoEnd(n: number): string;
    yearsAgo(n: number): string;
    yearsAgoStart(n: number): string;
    yearsAgoEnd(n: number): string;
    beginningOfYesterday(): string;
    beginningOfToday(): string;
    beginningOfTomorrow(): string;
    beginningOfLastWeek(): string;
    beginningOfLastMonth(): string;
    beginningOfLastQuarter(): string;
    beginningOfLastYear(): string;
    beginningOfThisWeek(): string;
    beginningOfThisMonth(): string;
    beginningOfThisQuarter(): string;
    beginningOfThisYear(): string;
    beginningOfNextWeek(): string;
    beginningOfNextMonth(): string;
    beginningOfNextQuarter(): string;
    beginningOfNextYear(): string;
    endOfYesterday(): string;
    endOfToday(): string;
    endOfTomorrow(): string;
    endOfLastWeek(): string;
    endOfLastMonth(): string;
    endOfLastQuarter(): string;
    endOfLastYear(): string;
    endOfThisWeek(): string;
    endOfThisMonth(): string;
    endOfThisQuarter(): string;
    endOfThisYear(): string;
    endOfNextWeek(): string;
    endOfNextMonth(): string;
    endOfNextQuarter(): string;
    endOfNextYear(): string;
    isFirstDayOfDay(at?: any): boolean;
    isFirstDayOfWeek(at?: any): boolean;
    isFirstDayOfMonth(at?: any): boolean;
    isFirstDayOfQuarter(at?: any): boolean;
    isFirstDayOfYear(at?: any): boolean;
    isLastDayOfDay(at?: any): boolean;
    isLastDayOfWeek(at?: any): boolean;
    isLastDayOfMonth(at?: any): boolean;
    isLastDayOfQuarter(at?: any): boolean;
    isLastDayOfYear(at?: any): boolean;
}
declare const gs: GlideSystem;

declare class GlideUser {
    getID(): string;
    getName(): string;
    getUserName(): string;
    getDisplayName(): string;
    getFullName(): string;
    getFirstName(): string;
    getLastName(): string;
    getEmail(): string;
    getTitle(): string;
    getCompanyID(): string;
    getDepartmentID(): string;
    getLocation(): string;
    getManagerID(): string;
    getTimeZoneLabel(): string;
    getTZ(): string;
    toString(): string;
    hasRole(roles: string): boolean;
    hasRoles(): boolean;
    getRoles(): GlideList<string>;
    getUserRoles(): GlideList<string>;
    isMemberOf(group: string): boolean;
    getMyGroups(): GlideList<string>;
    getUserByID(id: string): GlideUser;
    exists(): boolean;
    getPreference(name: string, otherwise?: any): any;
    savePreference(name: string, value: any): void;
    setPreference(name: string, value: any): void;
}

declare class GlideSession {
    isInteractive(): boolean;
    isLoggedIn(): boolean;
    getLanguage(): string;
    getTimeZoneName(): string;
    getTimeZone(): string;
    getRoles(): string;
    getSessionID(): string;
    getUser(): GlideUser;
    getUserID(): string;
    getUserName(): string;
    hasRole(roles: string): boolean;
    getClientIP(): string | null;
    getCurrentApplicationId(): string;
    putClientData(name: string, value: any): void;
    putProperty(name: string, value: any): void;
    getClientData(name: string): string | null;
    getProperty(name: string): string | null;
    clearClientData(name: string): void;
    clearProperty(name: string): void;
}

// Dates

interface GlideMoment {
    getValue(): string;
    toString(): string;
    getDisplayValue(): string;
    getDisplayValueInternal(): string;
    getDisplayValueWithoutTZ(): string;
    getByFormat(pattern: string): string;
    getNumericValue(): number;
    isValid(): boolean;
    getErrorMsg(): string;
    setValue(value: any): void;
    setDisplayValue(text: string, pattern?: string): void;
    setDisplayValueInternal(text: string): void;
    compareTo(other: any): -1 | 0 | 1;
    equals(other: any): boolean;
    before(other: any): boolean;
    after(other: any): boolean;
    onOrBefore(other: any): boolean;
    onOrAfter(other: any): boolean;
    setTZ(zone: string): void;
    getUserTimeZone(): string;
    getHourUTC(): number;
    getHourLocalTime(): number;
    getHourOfDayUTC(): number;
    getHourOfDayLocalTime(): number;
    getMinutesUTC(): number;
    getMinutesLocalTime(): number;
    getSeconds(): number;
}

interface GlideCalendar {
    getDayOfMonth(): number;
    getDayOfMonthUTC(): number;
    getDayOfMonthNoTZ(): number;
    getDayOfMonthLocalTime(): number;
    getMonth(): number;
    getMonthUTC(): number;
    getMonthNoTZ(): number;
    getMonthLocalTime(): number;
    getYear(): number;
    getYearUTC(): number;
    getYearNoTZ(): number;
    getYearLocalTime(): number;
    getDayOfWeek(): number;
    getDayOfWeekUTC(): number;
    getDayOfWeekNoTZ(): number;
    getDayOfWeekLocalTime(): number;
    getWeekOfYear(): number;
    getWeekOfYearUTC(): number;
    getWeekOfYearNoTZ(): number;
    getWeekOfYearLocalTime(): number;
    getDaysInMonth(): number;
    getDaysInMonthUTC(): number;
    getDaysInMonthNoTZ(): number;
    getDaysInMonthLocalTime(): number;
    addDays(n: number): void;
    addDaysLocalTime(n: number): void;
    addDaysUTC(n: number): void;
    addWeeks(n: number): void;
    addWeeksLocalTime(n: number): void;
    addWeeksUTC(n: number): void;
    addMonths(n: number): void;
    addMonthsLocalTime(n: number): void;
    addMonthsUTC(n: number): void;
    addYears(n: number): void;
    addYearsLocalTime(n: number): void;
    addYearsUTC(n: number): void;
    setDayOfMonth(n: number): void;
    setDayOfMonthUTC(n: number): void;
    setDayOfMonthNoTZ(n: number): void;
    setDayOfMonthLocalTime(n: number): void;
    setMonth(n: number): void;
    setMonthUTC(n: number): void;
    setMonthNoTZ(n: number): void;
    setMonthLocalTime(n: number): void;
    setYear(n: number): void;
    setYearUTC(n: number): void;
    setYearNoTZ(n: number): void;
    setYearLocalTime(n: number): void;
}

interface GlideClock {
    add(by: number | GlideTime | GlideDuration): void;
    subtract(by: number | GlideTime | GlideDuration): void;
    addSeconds(n: number): void;
}

interface GlideDateTime extends GlideMoment, GlideCalendar, GlideClock {}
/** An instant, in UTC. */
declare class GlideDateTime {
    constructor(value?: any);
    static subtract(from: any, to: any): GlideDuration;
    getDate(): GlideDate;
    getLocalDate(): GlideDate;
    getTime(): GlideTime;
    getLocalTime(): GlideTime;
    setNumericValue(ms: number): void;
    setValueUTC(text: string, pattern: string): void;
    setGlideDateTime(other: GlideDateTime): void;
    getTZOffset(): number;
    getDSTOffset(): number;
    isDST(): boolean;
    hasDate(): boolean;
    getInternalFormattedLocalTime(): string;
    getUserFormattedLocalTime(): string;
}

interface GlideDate extends GlideMoment, GlideCalendar {}
/** A day, in no zone. */
declare class GlideDate {
    constructor(value?: any);
    static subtract(from: any, to: any): GlideDuration;
    getDate(): GlideDate;
}

interface GlideTime extends GlideMoment, GlideClock {}
/** A time of day. */
declare class GlideTime {
    constructor(value?: any);
    static subtract(from: any, to: any): GlideDuration;
}

declare class GlideDuration {
    constructor(value?: any);
    static subtract(from: any, to: any): GlideDuration;
    getValue(): string;
    toString(): string;
    getDisplayValue(): string;
    getDurationValue(): string;
    getNumericValue(): number;
    getDayPart(): number;
    getRoundedDayPart(): number;
    getByFormat(pattern: string): string;
    add(other: GlideDuration | number): GlideDuration;
    subtract(other: GlideDuration | number): GlideDuration;
    compareTo(other: any): -1 | 0 | 1;
    equals(other: any): boolean;
    setValue(value: any): void;
    setNumericValue(ms: number): void;
    setDisplayValue(text: string): void;
}

// Texts, lists, classes

declare class GlideStringUtil {
    static dotToUnderBar(text: any): string;
    static escapeAllQuotes(text: any): string;
    static escapeTicks(text: any): string;
    static escapeForHomePage(text: any): string;
    static escapeHTML(text: any): string;
    static unEscapeHTML(text: any): string;
    static unescapeHTML(text: any): string;
    static escapeNonPrintable(text: any): string;
    static escapeQueryTermSeparator(text: any): string;
    static getHTMLValue(text: any): string;
    static getNumeric(text: any): string;
    static newLinesToBreaks(text: any): string;
    static normalizeWhitespace(text: any): string;
    static urlEncode(text: any): string;
    static urlDecode(text: any): string;
    static toLowerCase(text: any): string;
    static base64Encode(text: any): string;
    static base64Decode(text: any): string | null;
    static base64DecodeAsBytes(text: any): GlideContentStream | null;
    static isBase64(text: any): boolean;
    static isEligibleSysID(text: any): boolean;
    static nil(text: any): boolean;
    static notNil(text: any): boolean;
}

declare class JSONParser {
    parse(text: string): any;
}

declare class ArrayUtil {
    concat(a: any[], b: any[]): any[];
    contains(a: any[], item: any): boolean;
    indexOf(a: any[], item: any, start?: number): number;
    /** Keeps the last of equal items. */
    unique(a: any[]): any[];
    union(...lists: any[][]): any[];
    diff(a: any[], ...others: any[][]): any[];
    intersect(a: any[], ...others: any[][]): any[];
    ensureArray(value: any): any[];
    convertArray(list: any): any[];
}

declare const JSUtil: {
    has(value: any): boolean;
    doesNotHave(value: any): boolean;
    nil(value: any): boolean;
    notNil(value: any): boolean;
    instance_of(value: any, type: any): boolean;
    type_of(value: any): string;
    isJavaObject(value: any): boolean;
    toBoolean(value: any): boolean;
    getBooleanValue(record: GlideRecord, field: string): boolean;
    escapeText(text: any): string;
    unescapeText(text: any): string;
    escapeAttr(text: any): string;
    unescapeAttr(text: any): string;
    describeObject(value: any, name?: string): string;
    logObject(value: any, name?: string): void;
};

/** Turns lists of the host into arrays. */
declare function j2js(value: any): any;

/** Makes classes as they were before the language had any: their `initialize` is called with the constructor's arguments. */
declare const Class: { create(): any };

declare class AbstractAjaxProcessor {
    [member: string]: any;
    constructor(request?: any, xml?: any, params?: any);
    getParameter(name: string): any;
    getName(): string;
    getValue(): string;
    getType(): string;
    getChars(): string;
    process(): any;
    setAnswer(answer: any): void;
    setError(message: string): void;
}

// XML

interface XMLDocumentBase {
    isValid(): boolean;
    getErrorMessage(): string;
    getDocumentElement(): XMLNode | null;
    getNode(path: string): XMLNode | null;
    getNodes(path: string): GlideList<XMLNode>;
    getNodeText(path: string): string | null;
    getElementValueByTagName(name: string): string | null;
    createElement(name: string, text?: any): XMLNode;
    createElementWithTextValue(name: string, text: any): XMLNode;
    setCurrentElement(node: XMLNode): void;
    setCurrent(node: XMLNode): void;
    toString(): string;
    toIndentedString(): string;
}

interface XMLDocument2 extends XMLDocumentBase {}
declare class XMLDocument2 {
    constructor(text?: any);
    parseXML(text: any): boolean;
    setNamespaceAware(aware: boolean): void;
    setEnableCDATAReporting(on: boolean): void;
    getFirstNode(path: string): XMLNode | null;
    getNextNode(after: XMLNode): XMLNode | null;
}

interface XMLDocument extends XMLDocumentBase {}
declare class XMLDocument {
    constructor(text?: any, namespaceAware?: boolean);
    getNodeInt(path: string): number | null;
    getNodeName(path: string): string | null;
    getNodeType(path: string): number | null;
    getAttribute(path: string): string | null;
    setAttribute(name: string, value: any): void;
    setText(text: any): void;
}

declare class XMLNode {
    constructor(name: string);
    getNodeName(): string;
    getLocalName(): string;
    getNodeType(): number;
    getNodeValue(): string | null;
    getTextContent(): string;
    getAttribute(name: string): string;
    setAttribute(name: string, value: any): void;
    hasAttribute(name: string): boolean;
    getAttributes(): { [name: string]: string };
    getParentNode(): XMLNode | null;
    getFirstChild(): XMLNode | null;
    getLastChild(): XMLNode | null;
    getChildNodes(): GlideList<XMLNode>;
    getChildNodeIterator(): { hasNext(): boolean; next(): XMLNode };
    hasChildNodes(): boolean;
    isCDATANode(): boolean;
    toString(): string;
}

declare class XMLHelper {
    constructor(xml?: any);
    toObject(xml?: any): any;
    toXMLStr(object: any): string;
    toXMLDoc(object: any): XMLDocument;
}

declare const XMLUtilJS: {
    escapeForXMLText(text: any): string;
    unescapeForXMLText(text: any): string;
    escapeForXMLAttribute(text: any): string;
};

declare class GlideXMLUtil {
    static removeInvalidChars(text: any): string;
    static validateXML(text: any, namespaceAware?: boolean, forgive?: boolean): string | null;
    static escapeXML(text: any): string;
    static unescapeXML(text: any): string;
}

// Files and secrets

/** The bytes of a file; as text, its text. */
interface GlideContentStream { toString(): string }

declare class GlideSysAttachment {
    static copy(fromTable: string, fromId: GlideValue, toTable: string, toId: GlideValue): GlideList<string>;
    write(record: GlideRecord, name: string, type: string, content: string | GlideContentStream): string | null;
    writeBase64(record: GlideRecord, name: string, type: string, content: string): string | null;
    writeContentStream(record: GlideRecord, name: string, type: string, content: string | GlideContentStream): string | null;
    getContent(attachment: GlideRecord): string;
    getContentBase64(attachment: GlideRecord): string;
    getContentStream(id: string): GlideContentStream | null;
    getBytes(record: GlideRecord, name?: string): GlideContentStream;
    getAttachments(table: string, id: GlideValue): GlideRecord;
    copy(fromTable: string, fromId: GlideValue, toTable: string, toId: GlideValue): GlideList<string>;
    deleteAttachment(id: string): void;
    deleteAll(record: GlideRecord): void;
}

/** Reads a file line by line. */
declare class GlideTextReader {
    constructor(content: string | GlideContentStream);
    readLine(): string | null;
    getEncoding(): string;
}

/** Turned off unless the property glide.script.encrypter is true. */
declare class GlideEncrypter {
    encrypt(text: string): string;
    decrypt(text: string): string;
}

// Events

/** Thrown by a handler: its run is tried again after so many seconds. */
declare class RetryLater extends Error {
    constructor(seconds: number, reason?: string);
}

/** Thrown by a handler: its run has failed for good and is not tried again. */
declare class Permanent extends Error {
    constructor(reason: string);
}

// Calls to other systems

declare namespace sn_impex {
    /** Takes one line of CSV apart. */
    class CSVParser {
        parseLineToArray(line: any, delimiter?: string, quote?: string): string[];
        parseLineToObject(line: any, headers: string[], delimiter?: string, quote?: string): Record<string, string>;
    }
}

declare namespace sn_ws {
    interface Message {
        setEndpoint(url: string): void;
        setRequestBody(body: string): void;
        setRequestHeader(name: string, value: any): void;
        setStringParameter(name: string, value: any): void;
        setStringParameterNoEscape(name: string, value: any): void;
        setBasicAuth(user: string, password: string): void;
        setAuthenticationProfile(type: "basic" | "oauth2" | string, id: string): void;
        setRequestorProfile(context: string, id: string): void;
        setMutualAuth(profile: string): void;
        setMIDServer(name: string): void;
        setEccParameter(name: string, value: any): void;
        setEccCorrelator(correlator: string): void;
        setEccTopic(topic: string): void;
        setHttpTimeout(ms: number): void;
        setLogLevel(level: string): void;
        setFollowRedirect(follow: boolean): void;
        setAllowedRedirectURIs(uris: any): void;
        disableForcedVariableSubstitution(): void;
        getEndpoint(): string;
        getRequestBody(): string;
        getRequestHeader(name: string): string | null;
        getRequestHeaders(): { [name: string]: string };
        getVariables(): any;
        getParameters(): any;
    }

    interface RESTMessageV2 extends Message {}
    class RESTMessageV2 {
        constructor(message?: string, method?: string);
        setHttpMethod(method: string): void;
        setQueryParameter(name: string, value: any): void;
        setRequestBodyFromAttachment(id: string): void;
        saveResponseBodyAsAttachment(table: string, id: string, fileName: string): void;
        /** Waits for the answer. Not inside the transaction of a write. */
        execute(): RESTResponseV2;
        /** Queues the call; it goes out when the transaction has committed. */
        executeAsync(): RESTResponseV2;
    }

    interface SOAPMessageV2 extends Message {}
    class SOAPMessageV2 {
        constructor(message?: string, fn?: string);
        setSOAPAction(action: string): void;
        setWSSecurity(keystore: string, certificate: string): void;
        setWSSecurityUsernameToken(user: string, password: string): void;
        execute(): SOAPResponseV2;
        executeAsync(): SOAPResponseV2;
    }

    interface Response {
        getStatusCode(): number;
        getBody(): string;
        getHeader(name: string): string | null;
        getHeaders(): { [name: string]: string };
        getAllHeaders(): any[];
        getCookies(): any[];
        haveError(): boolean;
        getErrorCode(): number;
        getErrorMessage(): string;
        getQueryString(): string;
        waitForResponse(seconds: number): void;
        getDeliveryId(): string;
    }

    interface RESTResponseV2 extends Response {
        getResponseAttachmentSysid(): string;
    }

    interface SOAPResponseV2 extends Response {}
}

interface RESTMessage extends sn_ws.RESTMessageV2 {}
/** The older form of sn_ws.RESTMessageV2. */
declare class RESTMessage {
    constructor(message?: string, method?: string);
    setRestEndPoint(url: string): void;
    setXMLParameter(name: string, value: any): void;
}

interface SOAPMessage extends sn_ws.SOAPMessageV2 {}
/** The older form of sn_ws.SOAPMessageV2. */
declare class SOAPMessage {
    constructor(message?: string, fn?: string);
    setSoapEndPoint(url: string): void;
    setParameter(name: string, value: any): void;
    post(): string;
}
