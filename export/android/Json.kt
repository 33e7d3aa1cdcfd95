package grw.streaming

/**
 * Reads a JSON text: a [Map], [List], [String], [Boolean], [Long] for a whole number, [Double]
 * for any other, or null. NaN and Infinity are numbers, as Python writes them.
 *
 * @throws IllegalArgumentException if it is not JSON.
 */
internal fun parseJson(text: String): Any? = JsonReader(text).readAll()

private class JsonReader(private val text: String) {
    private var at = 0

    fun readAll(): Any? {
        val value = readValue(0)
        skipSpace()
        if (at != text.length) fail()
        return value
    }

    private fun fail(): Nothing = throw IllegalArgumentException("not JSON at character $at")

    private fun peek(): Char = if (at < text.length) text[at] else '\u0000'

    private fun skipSpace() {
        while (peek() in " \t\r\n") at += 1
    }

    private fun take(word: String): Boolean {
        val found = text.startsWith(word, at)
        if (found) at += word.length
        return found
    }

    private fun expect(word: String) {
        if (!take(word)) fail()
    }

    private fun readValue(depth: Int): Any? {
        // Deeper values would need much of the stack.
        if (depth > MOST_DEPTH) fail()
        skipSpace()
        return when {
            take("{") -> readItems("}") { readKey() to readValue(depth + 1) }.toMap()
            take("[") -> readItems("]") { readValue(depth + 1) }
            peek() == '"' -> readString()
            take("null") -> null
            take("true") -> true
            take("false") -> false
            else -> readNumber()
        }
    }

    private fun <T> readItems(end: String, read: () -> T): List<T> {
        val items = ArrayList<T>()
        skipSpace()
        if (take(end)) return items
        do {
            items.add(read())
            skipSpace()
        } while (take(","))
        expect(end)
        return items
    }

    private fun readKey(): String {
        skipSpace()
        val key = readString()
        skipSpace()
        expect(":")
        return key
    }

    private fun readNumber(): Any {
        val match = NUMBER.matchAt(text, at) ?: fail()
        at = match.range.last + 1
        return match.value.toLongOrNull() ?: match.value.toDouble()
    }

    private fun readString(): String {
        val result = StringBuilder()
        expect("\"")
        while (!take("\"")) {
            // Also at the end of the text.
            if (peek() < ' ') fail()
            if (take("\\")) {
                result.append(readEscape())
            } else {
                result.append(text[at++])
            }
        }
        return result.toString()
    }

    private fun readEscape(): Char {
        if (take("u")) {
            val digits = HEX.matchAt(text, at) ?: fail()
            at += digits.value.length
            return digits.value.toInt(16).toChar()
        }
        val index = ESCAPES.indexOf(peek())
        if (index < 0) fail()
        at += 1
        return MEANINGS[index]
    }

    private companion object {
        const val MOST_DEPTH = 100
        const val ESCAPES = "\"\\/bfnrt"
        const val MEANINGS = "\"\\/\b\u000c\n\r\t"
        val NUMBER = Regex("""NaN|-?(Infinity|(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?)""")
        val HEX = Regex("[0-9a-fA-F]{4}")
    }
}
