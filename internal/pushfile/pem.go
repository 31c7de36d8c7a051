package pushfile

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"slices"
	"strings"
	"unicode"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// pemMarker finds BEGIN and END lines wherever they stand and whatever a word processor made of their dashes.
var pemMarker = verify.Lazily(`(?i)[-‐‑‒–—―−]+[ \t]*(BEGIN|END)[ \t]+([A-Z0-9][A-Z0-9 ]*?)[ \t]*[-‐‑‒–—―−]+`)

// pemBlock is one block of PEM text, as it is or as it was meant.
type pemBlock struct {
	kind      string
	der       []byte
	encrypted bool
	headers   map[string]string
	trouble   string // what keeps others from reading it, "" when nothing does
}

// readPEM gives the blocks of PEM text and the text outside of them.
func readPEM(text []byte) (blocks []pemBlock, outside string) {
	markers := pemMarker().FindAllSubmatchIndex(text, -1)
	word := func(m []int, group int) string { return strings.ToUpper(string(text[m[2*group]:m[2*group+1]])) }
	var around strings.Builder
	last := 0
	for i := 0; i < len(markers); i++ {
		begin := markers[i]
		if word(begin, 1) != "BEGIN" {
			continue
		}
		around.Write(text[last:begin[0]])
		end := []int{len(text), len(text)}
		if next := i + 1; next < len(markers) {
			end = []int{markers[next][0], markers[next][0]}
			if word(markers[next], 1) == "END" {
				end, i = markers[next], next
			}
		}
		blocks = append(blocks, readBlock(text, begin, end, word(begin, 2)))
		last = end[1]
	}
	around.Write(text[last:])
	return blocks, strings.Trim(strings.NewReplacer(`\n`, "", `\r`, "").Replace(around.String()), "\ufeff \t\r\n\"'`,;\\")
}

// blankLine matches what Go reads over inside a block, and OpenSSL does not.
var blankLine = verify.Lazily(`\n[ \t]*\r?\n`)

func readBlock(text []byte, begin, end []int, kind string) pemBlock {
	startsLine := begin[0] == 0 || text[begin[0]-1] == '\n'
	body := text[begin[1]:end[0]]
	strict, _ := pem.Decode(text[begin[0]:end[1]])
	if strict != nil && startsLine && strict.Type == kind && (len(strict.Headers) > 0 || !blankLine().Match(body)) {
		return pemBlock{kind: kind, der: strict.Bytes, encrypted: strict.Headers["DEK-Info"] != "", headers: strict.Headers}
	}
	block := pemBlock{kind: kind, encrypted: bytes.Contains(body, []byte("ENCRYPTED"))}
	switch {
	case bytes.Contains(body, []byte(`\n`)):
		block.trouble = `it has the letters \n where line breaks belong`
	case end[0] == end[1]:
		block.trouble = "its END line is missing"
	case bytes.ContainsFunc(text[begin[0]:begin[1]], func(r rune) bool { return r > unicode.MaxASCII }):
		block.trouble = "a word processor has changed the dashes of its BEGIN line"
	case !bytes.ContainsAny(body, "\r\n"):
		block.trouble = "it is all on one line"
	case !startsLine:
		block.trouble = "its lines are indented"
	default:
		block.trouble = "its lines are not as PEM has them"
	}
	block.der = looseBase64(string(body))
	return block
}

// looseBase64 decodes base64 with white space, \n in letters, quotation marks or URL-safe letters in it; nil for what is none.
func looseBase64(text string) []byte {
	text = strings.NewReplacer(`\n`, "", `\r`, "", `\t`, "", "-", "+", "_", "/").Replace(text)
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || strings.ContainsRune("\\\"'>,\ufeff\u200b", r) {
			return -1
		}
		return r
	}, text)
	decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil
	}
	return decoded
}

// maxBlocks is how many blocks of PEM text are looked at: a push certificate, its key and a chain are five or six.
const maxBlocks = 50

// addPEM reads PEM text. Its blocks are parsed as they are meant; what keeps others from reading them is said once.
func (l *Lint) addPEM(file string, text []byte) error {
	blocks, outside := readPEM(text)
	if len(blocks) > maxBlocks {
		l.say(file, Fail, "file", "give the push certificate and its key alone", "it holds %d certificates and keys", len(blocks))
		return nil
	}
	if len(blocks) == 0 {
		l.say(file, Fail, "file", "copy it whole, with the BEGIN and END lines", "its PEM text is broken")
		return nil
	}
	var troubles, kinds []string
	for _, block := range blocks {
		understood, err := l.addBlock(file, block)
		if err != nil {
			return err
		}
		if understood && block.trouble != "" && !slices.Contains(troubles, block.trouble) {
			troubles = append(troubles, block.trouble)
		}
		kinds = append(kinds, block.kind)
	}
	for _, trouble := range troubles {
		l.sayMendable(file, Fail, "text", "%s: Twilio answers 20001, could not parse it", trouble)
	}
	if outside != "" && len(troubles) == 0 {
		l.sayMendable(file, Warn, "text", "there is text outside BEGIN and END (%s); it is not known whether Twilio takes it as it is", outsideWords(outside))
	}
	isKey := func(kind string) bool { return strings.HasSuffix(kind, "PRIVATE KEY") }
	if slices.Contains(kinds, "CERTIFICATE") && slices.ContainsFunc(kinds, isKey) {
		l.sayMendable(file, Warn, "text", "certificate and key are in one file, where Twilio asks for each by itself; it is not known whether it takes them as they are")
	}
	return nil
}

func outsideWords(outside string) string {
	if strings.Contains(outside, "Bag Attributes") {
		return "Bag Attributes, as openssl pkcs12 writes them"
	}
	return "such as a name or a comment"
}

// addBlock reads one block, and tells whether it was understood. The error is that of asking for a pass phrase.
func (l *Lint) addBlock(file string, block pemBlock) (understood bool, err error) {
	switch kind := block.kind; {
	case kind == "CERTIFICATE", kind == "X509 CERTIFICATE", kind == "TRUSTED CERTIFICATE":
		certificate, err := x509.ParseCertificate(block.der)
		if err != nil {
			l.say(file, Fail, "certificate", "copy it again, whole, with the BEGIN and END lines", "it cannot be read: its text is broken, cut off or damaged")
			return false, nil
		}
		l.addCertificate(file, certificate)
	case kind == "CERTIFICATE REQUEST" || kind == "NEW CERTIFICATE REQUEST":
		l.sayRequest(file)
	case kind == "PKCS7" || kind == "CMS":
		l.say(file, Fail, "certificate", "openssl pkcs7 -print_certs -in "+verify.Quote(file)+" -out cert.pem, and lint that with its key", "it is in a PKCS #7 envelope; Twilio takes the certificate alone")
	case block.encrypted || kind == "ENCRYPTED PRIVATE KEY":
		return l.addEncryptedKey(file, block)
	case kind == "OPENSSH PRIVATE KEY":
		l.say(file, Fail, "private key", "take the key that the certificate's request was made with", "it is a key for SSH")
	case strings.HasSuffix(kind, "PRIVATE KEY"):
		return l.addKey(file, kind, block.der), nil
	case strings.HasSuffix(kind, "PUBLIC KEY"):
		l.say(file, Fail, "public key", "take the private key", "it is a public key")
	default:
		l.say(file, Fail, "file", "take the push certificate and its key", "it holds %q, which no push credential needs", kind)
	}
	return true, nil
}

func (l *Lint) sayRequest(file string) {
	l.say(file, Fail, "request", "upload it to Apple's developer portal, and take the certificate it gives", "it is a request for a certificate (CSR), not one")
}
