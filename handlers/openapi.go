package handlers

import (
	"net/http"

	"signet/handlers/openapi"
)

// openAPIPath is where the description of the API is: public, like the documents under publicPrefix.
const openAPIPath = "/openapi.json"

// openAPI is GET /openapi.json.
func (a *api) openAPI() http.Handler { return fixedDocument(openapi.Document()) }
