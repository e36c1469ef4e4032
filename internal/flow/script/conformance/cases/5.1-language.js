//# 5.1 let, const, arrows, templates, destructuring, spread, defaults
const f = ({a, b = 2}, ...rest) => `${a}-${b}-${rest.length}`; let r = f({a: 1}, ...[3, 4]); r
//= 1-2-2

//# 5.1 classes with fields, private members and static blocks
class P { #x = 1; static n; static { P.n = 5; } get x() { return this.#x + P.n; } } new P().x
//= 6

//# 5.1 optional chaining, nullish coalescing, ** and numeric separators
var o = null; [o?.a?.b ?? 'none', 2 ** 10, 1_000].join()
//= none,1024,1000

//# 5.1 Map, Set, Symbol, Proxy, typed arrays, BigInt
[new Map([[1, 2]]).get(1), new Set([1, 1]).size, typeof Symbol(), new Proxy({}, {get: () => 7}).x, new Uint8Array([300])[0], 2n ** 64n].join()
//= 2,1,symbol,7,44,18446744073709551616

//# 5.1 replaceAll, includes, padStart, flat, Object.entries
['a.b.c'.replaceAll('.', '-'), 'abc'.includes('b'), '7'.padStart(3, '0'), [1, [2, [3]]].flat(2).length, Object.entries({k: 1})[0].join('=')].join()
//= a-b-c,true,007,3,k=1

//# 5.1 regular expressions with named groups, lookbehind and the flags s and y
/(?<y>\d{4})/.exec('in 2026').groups.y + '$12'.replace(/(?<=\$)\d+/, 'x')
//= 2026$x

//# 5.1 const in old scripts
const LIMIT = 5; function over(n) { return n > LIMIT; } over(6)
//= true

//# 5.1 there are no timers, no console, no require, no fetch
[typeof setTimeout, typeof console, typeof require, typeof fetch, typeof window].join()
//= undefined,undefined,undefined,undefined,undefined

//# 5.1 Java is out of reach
[typeof Packages, typeof java].join()
//= undefined,undefined

//# 5.1 an undefined name is a ReferenceError that names it
noSuchThing.x
//! noSuchThing is not defined

//# 5.1 what is thrown has a message, also by getMessage()
try { null.x; } catch (e) { typeof e.getMessage() + (e.getMessage() === e.message) }
//= stringtrue

//# 5.1 an error tells the line and the column
var a = 1;
throw new Error('here')
//! :2:

//# 5.1 a function declared in a block is found outside of it
if (true) { function inBlock() { return 1; } } typeof inBlock
//= function

//# 5.1 for each goes over values
var sum = 0; for each (var n in {a: 1, b: 2}) { sum += n; } sum
//= 3

//# 5.1 an error knows its line
try {
null.x; } catch (e) { e.lineNumber }
//= 2

//# 5.1 a catch with a condition is refused, with its line
try { null.x; } catch (e if e instanceof TypeError) { 1 }
//! :1:26

//# 5.1 regular expressions know the properties of characters
'aÄ1'.replace(/\p{Lu}/gu, '_')
//= a_1

//# 5.1 recursion without an end is stopped
(function f() { return f() + 1; })()
//! deeper

//# 5.1 a syntax error names its place
var x = 1;
if (x
//! 2:
